"""Looks at a service until it is well with a version, or as long as it has to stay so."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from lycatra_appservice import __version__
from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._probes import CommandProbe, HttpProbe, Probe, TcpProbe
from lycatra_appservice.tools._probing import try_probe
from lycatra_appservice.tools.updates._deploy_settings import Deploy
from lycatra_appservice.tools.updates._deployers.port import Deployer, Running

_TO_ANSWER_SECONDS = 30.0

# Hears each thing that was seen.
Hear: TypeAlias = Callable[[str], None]
Look: TypeAlias = Callable[[str], Awaitable[Running]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is well; `detail` is what was seen last, without a full stop."""

    ok: bool
    detail: str


def looks_of(deployer: Deployer, deploy: Deploy, ctx: ToolContext) -> Look:
    """Looks at the service and asks its health check; well is only the version that is wanted."""

    async def look(version: str) -> Running:
        running = await running_now(deployer, deploy)
        if running.version is not None and not _is_same(running.version, version, deploy):
            detail = f"{running.version} runs, {running.detail}"
            return Running(version=running.version, ok=False, detail=detail)
        if not running.ok or deploy.health is None:
            return running
        verdict = await try_probe(_filled(deploy.health, version), ctx)
        return Running(
            version=running.version,
            ok=verdict.ok,
            detail=f"{running.detail}; health check: {verdict.detail}",
            start=running.start,
        )

    return look


async def well(look: Look, version: str, deploy: Deploy, hear: Hear) -> Verdict:
    """Wait until it is, or will not become so, or the time for that is over."""
    last = "nothing was seen of it"
    try:
        async with asyncio.timeout(deploy.health_seconds):
            while True:
                seen = await look(version)
                last = seen.detail
                if seen.ok or seen.is_over:
                    return Verdict(seen.ok, last)
                hear(last)
                await asyncio.sleep(deploy.look_seconds)
    except TimeoutError:
        return Verdict(False, f"not well after {deploy.health_seconds:g} s: {last}")


async def stays_well(look: Look, version: str, deploy: Deploy, hear: Hear) -> Verdict:
    """Look again and again; one bad look may be a hiccup, two in a row are none."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + deploy.watch_seconds
    first = before = await look(version)
    while True:
        await asyncio.sleep(deploy.look_seconds)
        seen = await look(version)
        if seen.start != first.start and seen.start and first.start:
            return Verdict(False, f"it has started anew by itself: {seen.detail}")
        if not seen.ok and not before.ok:
            return Verdict(False, seen.detail)
        if seen.ok and clock() >= deadline:
            return Verdict(True, seen.detail)
        hear(seen.detail)
        before = seen


def is_running(seen: Running, version: str, deploy: Deploy) -> bool:
    """Whether it is this version, as far as that can be told."""
    return seen.version is not None and _is_same(seen.version, version, deploy)


async def running_now(deployer: Deployer, deploy: Deploy) -> Running:
    """What runs, whatever version that is; what cannot be found out is not well."""
    try:
        async with asyncio.timeout(_TO_ANSWER_SECONDS):
            running = await deployer.running()
    except TimeoutError:
        return Running(version=None, ok=False, detail="no answer to how it is")
    except ToolFailedError as exc:
        return Running(version=None, ok=False, detail=exc.user_message.rstrip("."))
    if running.version is None and deploy.itself:
        return Running(version=__version__, ok=running.ok, detail=running.detail)
    return running


def _is_same(one: str, other: str, deploy: Deploy) -> bool:
    # What Lycatra knows of itself has no `v`, which its tags may have.
    return one.removeprefix("v") == other.removeprefix("v") if deploy.itself else one == other


def _filled(probe: Probe, version: str) -> Probe:
    match probe:
        case HttpProbe() | CommandProbe() if probe.expect_text:
            text = probe.expect_text.replace("{version}", version)
            return probe.model_copy(update={"expect_text": text})
        case HttpProbe() | TcpProbe() | CommandProbe():
            return probe
