"""Restarts a container, or the containers of a compose service, by the Docker Engine's API."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._docker_engine import (
    Container,
    Engine,
    EngineError,
    docker_engine,
)
from lycatra_appservice.tools._pauses import growing_pauses
from lycatra_appservice.tools.services._restart_settings import DockerRestart
from lycatra_appservice.tools.services._restarts.port import (
    Outlook,
    Restarted,
    RestartError,
)
from lycatra_appservice.tools.services._seeing.docker import containers_at, log_engine_error

_LAST_LOOK_SECONDS = 2.0  # after the restart's own time, before the tool's is over


class DockerRestarter:
    """One container after the other, each up again before the next."""

    def __init__(self, restart: DockerRestart, ctx: ToolContext) -> None:
        """For one call."""
        self._restart = restart
        self._ctx = ctx

    async def outlook(self) -> Outlook:
        """Which containers, of which images, and how they are."""
        containers = await self._looked_for()
        return Outlook(
            steps=[
                f"restarts the container `{each.name}` of the image `{each.image}`"
                for each in containers
            ],
            now=[f"now `{each.name}` is {each.state}" for each in containers],
        )

    async def restart(self) -> Restarted:
        """Restart them all. Raises RestartError with the last state that was seen."""
        deadline = asyncio.get_running_loop().time() + self._restart.timeout_seconds
        try:
            containers = await self._looked_for()
        except ToolFailedError as exc:
            raise RestartError.not_begun(self._service, exc.user_message) from exc
        up: list[Container] = []
        try:
            async with self._engine() as engine:
                for each in containers:
                    up.append(await self._restarted(each.name, engine, deadline))  # noqa: PERF401 (those before a failure are told)
        except RestartError as exc:
            if not up:
                raise
            before = ", ".join(f"`{each.name}`" for each in up)
            said = f"{exc.user_message} Before that, {before} was restarted and is up again."
            raise RestartError(said) from exc
        return Restarted(
            how=", ".join(f"`{each.name}` is {each.state}" for each in up),
            data={"containers": [{"name": each.name, "state": each.state} for each in up]},
        )

    @property
    def _service(self) -> str:
        return self._restart.service

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[Engine]:
        async with docker_engine(self._restart.address, self._ctx.http) as engine:
            yield engine

    async def _looked_for(self) -> Sequence[Container]:
        return await containers_at(self._restart, self._service, self._ctx)

    async def _restarted(self, name: str, engine: Engine, deadline: float) -> Container:
        try:
            async with asyncio.timeout_at(deadline):
                await engine.restart(name, self._restart.stop_seconds)
        except EngineError as exc:
            log_engine_error(exc, self._service, self._ctx)
            if exc.is_settled:
                raise RestartError.not_begun(name, exc.user_message) from exc
            why = f"{exc.user_message} {await self._last_look(name, engine)}"
            raise RestartError.uncertain(name, why) from exc
        except TimeoutError as exc:
            why = f"Docker was not done within {self._restart.timeout_seconds:g} s."
            why = f"{why} {await self._last_look(name, engine)}"
            raise RestartError.uncertain(name, why) from exc
        return await self._up(name, engine, deadline)

    async def _last_look(self, name: str, engine: Engine) -> str:
        try:
            async with asyncio.timeout(_LAST_LOOK_SECONDS):
                container = await engine.container(name)
        except (EngineError, TimeoutError):
            return "It cannot be seen how it is now."
        return f"Now it is {container.state}." if container else "Now it is not there."

    async def _up(self, name: str, engine: Engine, deadline: float) -> Container:
        """Wait for a container that was just restarted."""
        seen = _Watched(self._restart.steady_seconds)
        try:
            async with asyncio.timeout_at(deadline):
                for pause in growing_pauses():
                    container = await self._seen(name, engine)
                    if container is not None and seen.is_up(container):
                        return container
                    if container is not None and container.has_given_up:
                        break
                    await asyncio.sleep(pause)
        except TimeoutError as exc:
            how = f"it is not up after {self._restart.timeout_seconds:g} s: {seen.state}"
            raise RestartError.not_well(name, how) from exc
        raise RestartError.not_well(name, f"it ended again: {seen.state}")

    async def _seen(self, name: str, engine: Engine) -> Container | None:
        """How it is; None when Docker did not tell, which may be better in a moment."""
        try:
            container = await engine.container(name)
        except EngineError as exc:
            log_engine_error(exc, self._service, self._ctx)
            if not exc.is_settled:
                return None
            how = f"it cannot be seen how it is. {exc.user_message.rstrip('.')}"
            raise RestartError.not_well(name, how) from exc
        if container is None:
            raise RestartError.not_well(name, "it is not there any more")
        return container


class _Watched:
    """A container that is coming up; what has no health check is up when it stays so."""

    def __init__(self, steady_seconds: float) -> None:
        self.state = "it cannot be seen how it is"
        self._steady_seconds = steady_seconds
        self._start = ""
        self._since = 0.0

    def is_up(self, container: Container) -> bool:
        """Take in how it is now."""
        now = asyncio.get_running_loop().time()
        self.state = container.state
        if not container.is_well or container.started_at != self._start:
            self._start = container.started_at
            self._since = now
        if container.health is not None:
            return container.is_well
        return container.is_well and now - self._since >= self._steady_seconds
