"""Keeps the states of watched sources, for all replicas and over restarts."""

import hashlib
from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter, ValidationError

from lycatra_appservice.toolkit.base import JSON, ToolContext
from lycatra_appservice.tools.updates import _kept_releases as releases
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._watch_settings import Polled
from lycatra_appservice.tools.updates._watching.source_state import (
    SourceState,
    fresh_state,
    mark_of,
)

_PREFIX: Final = "watch:"
_KEPT_S: Final = 36 * 3600
_STATE: Final = TypeAdapter(SourceState)


async def state_of(source: Polled, ctx: ToolContext) -> SourceState:
    """What is remembered; a fresh one for a source that is new or configured otherwise.

    Raises ToolFailedError when the database is away.
    """
    kept = _read(await ctx.state.everywhere.get(_key(source)))
    return kept if kept is not None and kept.of == mark_of(source) else fresh_state(source)


async def keep(source: Polled, state: SourceState, ctx: ToolContext) -> None:
    """Remember it. Raises ToolFailedError when the database is away."""
    await ctx.state.everywhere.put(_key(source), _STATE.dump_python(state, mode="json"))


async def forget_others(ctx: ToolContext) -> None:
    """Drop what is kept of sources and services that have not been configured for long."""
    settings, values = ctx.settings(UpdatesSettings), ctx.state.everywhere
    ours = {
        *(_key(each) for each in settings.polled),
        *(releases.key_of(each.default_service) for each in settings.watch),
    }
    before = int(ctx.now().timestamp()) - _KEPT_S
    for key in await values.keys():
        is_one = key.startswith((_PREFIX, releases.PREFIX))
        if is_one and key not in ours and _last_of(await values.get(key)) < before:
            await values.put(key, None)


def watched_services(settings: UpdatesSettings) -> Sequence[str]:
    """Those that releases can be of, each once, as they are written first."""
    services = {
        each.default_service.casefold(): each.default_service for each in reversed(settings.watch)
    }
    return list(reversed(services.values()))


def _key(source: Polled) -> str:
    return f"{_PREFIX}{hashlib.sha256(source.name.encode()).hexdigest()[:24]}"


def _last_of(value: JSON) -> int:
    """When something of it has changed."""
    state = _read(value) if isinstance(value, dict) else None
    return state.looked_at if state else releases.last_of(value)


def _read(value: JSON) -> SourceState | None:
    try:
        return _STATE.validate_python(value) if value is not None else None
    except ValidationError:
        return None
