"""Runs a second container for a moment, to see whether its image can run at all."""

import asyncio

from lycatra_appservice.tools._docker_changes import ChangingEngine
from lycatra_appservice.tools._pauses import growing_pauses
from lycatra_appservice.tools.updates._deploy_settings import DockerDeploy
from lycatra_appservice.tools.updates._deployers.clone import Clone, canary_of
from lycatra_appservice.tools.updates._deployers.engine_names import Names
from lycatra_appservice.tools.updates._deployers.port import Changed, DeployError

_TO_REMOVE_SECONDS = 20.0


async def try_out(
    engine: ChangingEngine, names: Names, clone: Clone, deploy: DockerDeploy
) -> None:
    """Wait until it is well, and remove it whatever comes. Raises DeployError, EngineError."""
    await engine.remove(names.canary)  # of one that was cut off
    canary = canary_of(clone, names.live)
    try:
        await engine.create(names.canary, canary.body, canary.networks)
        await engine.start(names.canary)
        async with asyncio.timeout(deploy.canary_seconds):
            await _well(engine, names.canary, deploy.steady_seconds)
    except TimeoutError as exc:
        said = f"The canary was not well after {deploy.canary_seconds:g} s."
        raise DeployError(said, Changed.NOTHING) from exc
    finally:
        await _removed(engine, names.canary)


async def _removed(engine: ChangingEngine, name: str) -> None:
    try:
        async with asyncio.timeout(_TO_REMOVE_SECONDS):
            await engine.remove(name)
    except TimeoutError as exc:
        raise DeployError("Docker did not remove the canary.", Changed.NOTHING) from exc


async def _well(engine: ChangingEngine, name: str, steady_seconds: float) -> None:
    """Return once it is healthy, or has stayed up where it has no health check."""
    began = asyncio.get_running_loop().time()
    for pause in growing_pauses():
        seen = await engine.container(name)
        if seen is None or seen.has_given_up:
            state = seen.state if seen else "gone"
            raise DeployError(f"The canary ended: {state}.", Changed.NOTHING)
        up_for = asyncio.get_running_loop().time() - began
        if seen.is_well and (seen.health is not None or up_for >= steady_seconds):
            return
        await asyncio.sleep(pause)
