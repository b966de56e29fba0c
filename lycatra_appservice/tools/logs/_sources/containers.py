"""Reads what containers write, from a Docker Engine; needs the extra `docker`."""

import heapq
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from lycatra_appservice.toolkit.base import ToolContext
from lycatra_appservice.tools._docker_engine import Engine, docker_engine
from lycatra_appservice.tools.logs._entry import Entry, readable
from lycatra_appservice.tools.logs._grouping import goes_on, grouped
from lycatra_appservice.tools.logs._settings import DockerSource
from lycatra_appservice.tools.logs._sources.reading import (
    MOST_BYTES,
    MOST_LINES,
    Place,
    Reading,
    SourceError,
)
from lycatra_appservice.tools.logs._wanted import Found, Wanted, chosen

_KEPT_BYTES: Final = 8 * 1024 * 1024
_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)


async def read_containers(
    source: DockerSource, ctx: ToolContext, place: Place, wanted: Wanted
) -> Reading:
    """The newest entries of the container, or of all of a compose service.

    Raises SourceError, EngineError, TimeoutError.
    """
    found: list[Found] = []
    is_cut = False
    async with docker_engine(source.address, ctx.http) as engine:
        names = await _names(source, engine)
        for name in names:
            tail = await engine.log(
                name,
                since=wanted.since,
                most_lines=MOST_LINES,
                most_bytes=MOST_BYTES,
                kept_bytes=_KEPT_BYTES,
            )
            label = name if len(names) > 1 else ""
            lines = (_entry(line, label, place) for line in reversed(tail.lines))
            found += chosen(grouped(lines), wanted)
            is_cut = is_cut or tail.is_cut or len(tail.lines) >= MOST_LINES
    best = heapq.nlargest(wanted.most, found, key=lambda each: each.entry.when or _BEFORE_ALL)
    told = ["it is so long that not all of it was read"] if is_cut else []
    return Reading(found=best, notes=told)


async def _names(source: DockerSource, engine: Engine) -> Sequence[str]:
    if source.container is not None:
        if await engine.container(source.container) is None:
            raise SourceError(f"there is no container `{source.container}`")
        return [source.container]
    project, service = source.project or "", source.compose_name or ""
    found = await engine.of_compose(project, service)
    if not found:
        raise SourceError(f"the compose project `{project}` has no container of `{service}`")
    return [each.name for each in found]


def _entry(line: bytes, label: str, place: Place) -> Entry:
    """A line behind the time at which the engine got it."""
    stamp, _, said = readable(line).partition(" ")
    when = place.read(stamp).when
    if when is None:  # an engine that was not asked for it, or no line of one
        return replace(place.read(readable(line)), place=label)
    return replace(place.read(said), when=None if goes_on(said) else when, place=label)
