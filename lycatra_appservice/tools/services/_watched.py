"""Which services the status tells of: what is checked, and what can be seen to restart it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._probing import try_probe
from lycatra_appservice.tools.services._restart_settings import SeenRestart
from lycatra_appservice.tools.services._restarts.choosing import restarter_of
from lycatra_appservice.tools.services._settings import ServiceCheck, ServicesSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one service is doing; `detail` never holds an address or a command line."""

    name: str
    ok: bool
    detail: str
    took_ms: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A service, and how to find out about it."""

    name: str
    by: ServiceCheck | SeenRestart


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


async def look_at(watched: Watched, ctx: ToolContext) -> Finding:
    """How it is doing; whatever the other side does, that is a finding."""
    started = time.monotonic()
    ok, detail = await _looked_at(watched.by, ctx)
    took_ms = round((time.monotonic() - started) * 1000)
    return Finding(name=watched.name, ok=ok, detail=detail, took_ms=took_ms)


async def _looked_at(by: ServiceCheck | SeenRestart, ctx: ToolContext) -> tuple[bool, str]:
    if not isinstance(by, SeenRestart):
        verdict = await try_probe(by, ctx)
        return verdict.ok, verdict.detail
    try:
        state = await restarter_of(by, ctx).state()
    except ToolFailedError as exc:
        return False, exc.user_message
    return (state.ok, state.detail) if state else (False, "cannot be seen")
