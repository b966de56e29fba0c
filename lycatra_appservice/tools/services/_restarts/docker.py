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
    State,
)

_TO_ANSWER_SECONDS = 5.0  # for a look at what is there
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

    async def state(self) -> State:
        """All of its containers."""
        containers = await self._looked_for()
        is_alone = len(containers) == 1
        return State(
            ok=all(each.is_well for each in containers),
            detail="; ".join(
                each.state if is_alone else f"{each.name}: {each.state}" for each in containers
            ),
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
        """What is there; raises ToolFailedError for nothing, too."""
        try:
            async with asyncio.timeout(_TO_ANSWER_SECONDS), self._engine() as engine:
                containers = await self._found(engine)
        except TimeoutError as exc:
            raise EngineError(f"Docker did not answer within {_TO_ANSWER_SECONDS:g} s.") from exc
        except EngineError as exc:
            self._log(exc)
            raise
        if not containers:
            raise ToolFailedError(f"Docker has {self._nothing}.")
        return containers

    async def _found(self, engine: Engine) -> Sequence[Container]:
        restart = self._restart
        if restart.container is not None:
            one = await engine.container(restart.container)
            return [one] if one is not None else []
        return await engine.of_compose(restart.project or "", restart.compose_service)

    @property
    def _nothing(self) -> str:
        restart = self._restart
        if restart.container is not None:
            return f"no container called `{restart.container}`"
        return f"no container of `{restart.compose_service}` in the project `{restart.project}`"

    async def _restarted(self, name: str, engine: Engine, deadline: float) -> Container:
        try:
            async with asyncio.timeout_at(deadline):
                await engine.restart(name, self._restart.stop_seconds)
        except EngineError as exc:
            self._log(exc)
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
            self._log(exc)
            if not exc.is_settled:
                return None
            how = f"it cannot be seen how it is. {exc.user_message.rstrip('.')}"
            raise RestartError.not_well(name, how) from exc
        if container is None:
            raise RestartError.not_well(name, "it is not there any more")
        return container

    def _log(self, error: EngineError) -> None:
        """Docker's own words are for who runs us: they may hold paths and addresses."""
        self._ctx.log.warning(
            "docker_failed", extra={"service": self._service, "reason": str(error.__cause__)}
        )


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
