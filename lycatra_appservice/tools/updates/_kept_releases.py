"""The releases of one service that are remembered for all replicas, as one small JSON value."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lycatra_appservice.toolkit.base import JSON, ToolContext
from lycatra_appservice.tools.updates._release import Release

PREFIX: Final = "releases:"
# A look keeps what it finds before anybody is told, and may be cut off in between: so the next
# ones give it, too, and whoever tells rooms knows it by its key.
TIMES: Final = 3

_MOST: Final = 30
_MOST_BYTES: Final = 15_000  # a little less than a value may have


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A release, and what became of it.

    It is `told` in so many looks more than once, because the first ones may have been cut off.
    `is_old` was there before anybody looked, `with_it` were found with it and are told with it;
    those are `told_by` it. `is_proposed` has people asked whether to deploy it.
    """

    release: Release
    found_at: int
    told: int = 0
    is_old: bool = False
    is_proposed: bool = False
    with_it: Sequence[str] = ()
    told_by: str = ""

    @property
    def name(self) -> str:
        """The release's."""
        return self.release.name

    @property
    def is_due(self) -> bool:
        """Whether the next look has to tell it."""
        return self.told < TIMES and not self.told_by

    def to_json(self) -> dict[str, JSON]:
        """As it is kept."""
        return {
            "release": self.release.to_json(),
            "found_at": self.found_at,
            "told": self.told,
            "is_old": self.is_old,
            "is_proposed": self.is_proposed,
            "with_it": list(self.with_it),
            "told_by": self.told_by,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, JSON]) -> "Kept":
        """What `to_json` made this of."""
        return cls(
            release=Release.from_json(kept["release"]),
            found_at=kept["found_at"],
            told=kept["told"],
            is_old=kept["is_old"],
            is_proposed=kept["is_proposed"],
            with_it=tuple(kept["with_it"]),
            told_by=kept["told_by"],
        )


def key_of(service: str) -> str:
    """Where they are; a service's name may have letters that a key may not."""
    return f"{PREFIX}{hashlib.sha256(service.casefold().encode()).hexdigest()[:24]}"


async def kept_of(service: str, ctx: ToolContext) -> Sequence[Kept]:
    """All that are remembered, the newest first. Raises ToolFailedError without the database."""
    return _read(await ctx.state.everywhere.get(key_of(service)))


async def change(
    service: str, ctx: ToolContext, how: Callable[[Sequence[Kept]], Sequence[Kept]]
) -> Sequence[Kept]:
    """Keep what `how` makes of them: nobody else changes them meanwhile."""

    def changed(value: JSON) -> JSON:
        return _written(how(_read(value)))

    return _read(await ctx.state.everywhere.change(key_of(service), changed))


def last_of(value: JSON) -> int:
    """When the newest was found, in seconds since 1970."""
    return max((each.found_at for each in _read(value)), default=0)


def with_new(kept: Sequence[Kept], new: Sequence[Kept]) -> Sequence[Kept]:
    """With those that are not there yet, or were there before anybody looked."""
    there = {each.name for each in kept if not each.is_old}
    added = [each for each in new if each.name not in there]
    gone = {each.name for each in added}
    return [*added, *(each for each in kept if each.name not in gone)]


def told_once_more(kept: Sequence[Kept]) -> Sequence[Kept]:
    """The same after a look that told what was to be told."""
    return [replace(each, told=min(each.told + 1, TIMES)) for each in kept]


def _written(kept: Sequence[Kept]) -> JSON:
    """Where they would be too many, or too large, the oldest go, and last what is to be told."""
    left = list(kept)
    sizes = {id(each): len(json.dumps(each.to_json())) for each in left}
    while len(left) > _MOST or sum(sizes[id(each)] for each in left) > _MOST_BYTES:
        left.remove(next((each for each in reversed(left) if not each.is_due), left[-1]))
    return [each.to_json() for each in left]


def _read(value: JSON) -> Sequence[Kept]:
    """None for what cannot be read, of a version to come for example."""
    try:
        return [Kept.from_json(each) for each in value or ()]
    except (LookupError, TypeError, ValueError, AttributeError):
        return []
