"""Finds the containers of a service, and tells how they are doing; needs the extra `docker`."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._docker_engine import Container, Engine, EngineError, docker_engine
from lycatra_appservice.tools.services._seeing.state import State, read_moment

_TO_ANSWER_SECONDS = 5.0


class ContainerPlace(Protocol):
    """One container by its name, or those of a service in a compose project, on an engine."""

    @property
    def address(self) -> str:
        """The engine's, as it is asked for."""

    @property
    def container(self) -> str | None:
        """Its name."""

    @property
    def project(self) -> str | None:
        """The compose project, where no container is named."""

    @property
    def compose_service(self) -> str:
        """The service in that project."""


async def containers_at(
    place: ContainerPlace, service: str, ctx: ToolContext
) -> Sequence[Container]:
    """What is there; raises ToolFailedError for nothing, too."""
    try:
        async with (
            asyncio.timeout(_TO_ANSWER_SECONDS),
            docker_engine(place.address, ctx.http) as engine,
        ):
            containers = await _found(place, engine)
    except TimeoutError as exc:
        raise EngineError(f"Docker did not answer within {_TO_ANSWER_SECONDS:g} s.") from exc
    except EngineError as exc:
        log_engine_error(exc, service, ctx)
        raise
    if not containers:
        raise ToolFailedError(f"Docker has {_nothing(place)}.")
    return containers


def log_engine_error(error: EngineError, service: str, ctx: ToolContext) -> None:
    """Docker's own words are for who runs us: they may hold paths and addresses."""
    ctx.log.warning("docker_failed", extra={"service": service, "reason": str(error.__cause__)})


def state_of(containers: Sequence[Container]) -> State:
    """That of all of them together; well only if each is."""
    is_alone = len(containers) == 1
    starts = [read_moment(each.started_at) for each in containers if each.status == "running"]
    return State(
        ok=all(each.is_well for each in containers),
        detail="; ".join(
            each.state if is_alone else f"{each.name}: {each.state}" for each in containers
        ),
        images=[each.image for each in containers],
        restarts=sum(each.restarts for each in containers),
        running_since=max((each for each in starts if each is not None), default=None),
    )


async def _found(place: ContainerPlace, engine: Engine) -> Sequence[Container]:
    if place.container is not None:
        one = await engine.container(place.container)
        return [one] if one is not None else []
    return await engine.of_compose(place.project or "", place.compose_service)


def _nothing(place: ContainerPlace) -> str:
    if place.container is not None:
        return f"no container called `{place.container}`"
    return f"no container of `{place.compose_service}` in the project `{place.project}`"
