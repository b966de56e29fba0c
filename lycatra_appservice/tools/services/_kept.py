"""What the namespace keeps of each service, for the whole deployment and over restarts."""

from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from lycatra_appservice.toolkit.base import JSON, ToolContext
from lycatra_appservice.tools.services._settings import ServicesSettings
from lycatra_appservice.tools.services._watched import watched_services

_KEPT_S = 36 * 3600  # of a service that is not configured any more
_KeptT = TypeVar("_KeptT")


class About(StrEnum):
    """What is kept of a service; each has `looked_at`, in seconds since 1970."""

    HISTORY = "seen"
    FAULT = "fault"


def key_of(about: About, service: str) -> str:
    """Where it is kept; a service's name may have letters that a key may not."""
    return f"{about}/{sha256(service.casefold().encode()).hexdigest()[:24]}"


async def keep(
    ctx: ToolContext,
    key: str,
    kind: TypeAdapter[_KeptT],
    how: Callable[[_KeptT | None], _KeptT],
) -> _KeptT:
    """Keep what `how` makes of what was kept: at once, so that two looks are one after the other.

    `how` gets None for nothing, and for what another version has kept otherwise. Raises
    ToolFailedError as the state does.
    """

    def changed(value: JSON) -> JSON:
        made: JSON = kind.dump_python(how(_read(kind, value)), mode="json")
        return made

    return kind.validate_python(await ctx.state.everywhere.change(key, changed))


async def forget_others(ctx: ToolContext) -> None:
    """Drop what is kept of services that have not been configured for long."""
    settings, kept = ctx.settings(ServicesSettings), ctx.state.everywhere
    ours = {key_of(about, each.name) for each in watched_services(settings) for about in About}
    before = int(ctx.now().timestamp()) - _KEPT_S
    for key in await kept.keys():
        is_one = key.startswith(tuple(f"{about}/" for about in About))
        if is_one and key not in ours and _looked_at(await kept.get(key)) < before:
            await kept.put(key, None)


def _read(kind: TypeAdapter[_KeptT], value: JSON) -> _KeptT | None:
    try:
        return kind.validate_python(value) if value is not None else None
    except ValidationError:
        return None


def _looked_at(value: JSON) -> int:
    found = value.get("looked_at") if isinstance(value, dict) else None
    return found if isinstance(found, int) else 0
