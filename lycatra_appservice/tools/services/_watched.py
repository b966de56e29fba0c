"""Which services the status tells of: what is checked, and what can be seen to restart it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._probing import try_probe
from lycatra_appservice.tools.services._check_settings import AnyCheck, ProbedCheck
from lycatra_appservice.tools.services._restart_settings import SeenRestart
from lycatra_appservice.tools.services._seeing.choosing import state_at
from lycatra_appservice.tools.services._seeing.state import State
from lycatra_appservice.tools.services._settings import ServicesSettings

_AT_ONCE = 10  # a slow network must not be made slower

LookedAt: TypeAlias = AnyCheck | SeenRestart


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one service is doing; nothing of `state` holds an address or a command line.

    What was not looked at, because the others took too long, is not known to be down.
    """

    name: str
    state: State
    took_ms: int
    was_looked_at: bool = True


@dataclass(frozen=True, slots=True)
class Watched:
    """A service, and how to find out about it."""

    name: str
    by: LookedAt

    @property
    def alerts(self) -> bool:
        """Whether rooms are told when it goes down."""
        return self.by.alerts if isinstance(self.by, AnyCheck) else True

    @property
    def is_urgent(self) -> bool:
        """Whether that is told in their quiet hours, too."""
        return isinstance(self.by, AnyCheck) and self.by.urgent


def watched_services(settings: ServicesSettings) -> Sequence[Watched]:
    """The checks, and after them what has no check and runs where it can be looked at."""
    checked = {each.name.casefold() for each in settings.checks}
    return [
        *(Watched(each.name, each) for each in settings.checks),
        *(
            Watched(each.service, each)
            for each in settings.restarts
            if isinstance(each, SeenRestart) and each.service.casefold() not in checked
        ),
    ]


async def look_at_all(
    watched: Sequence[Watched], ctx: ToolContext, altogether: timedelta
) -> list[Finding]:
    """How they are doing, in their order; whatever the other side does, that is a finding."""
    places = asyncio.Semaphore(_AT_ONCE)
    return await asyncio.gather(*(_in_time(each, places, ctx, altogether) for each in watched))


async def _in_time(
    watched: Watched, places: asyncio.Semaphore, ctx: ToolContext, altogether: timedelta
) -> Finding:
    try:
        async with asyncio.timeout(altogether.total_seconds()), places:
            return await _look_at(watched, ctx)
    except TimeoutError:
        said = "not checked: the other services took too long; ask for this one alone"
        return Finding(
            name=watched.name,
            state=State(ok=False, detail=said),
            took_ms=altogether // timedelta(milliseconds=1),
            was_looked_at=False,
        )


async def _look_at(watched: Watched, ctx: ToolContext) -> Finding:
    started = time.monotonic()
    state = await _state(watched, ctx)
    took_ms = round((time.monotonic() - started) * 1000)
    return Finding(name=watched.name, state=state, took_ms=took_ms)


async def _state(watched: Watched, ctx: ToolContext) -> State:
    if isinstance(watched.by, ProbedCheck):
        verdict = await try_probe(watched.by, ctx)
        return State(ok=verdict.ok, detail=verdict.detail)
    try:
        return await state_at(watched.by, watched.name, ctx)
    except ToolFailedError as exc:
        return State(ok=False, detail=exc.user_message)
