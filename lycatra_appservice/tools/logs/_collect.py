"""Looks into all sources side by side; one that fails is named, the others still answer."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._places import DOCKER
from lycatra_appservice.tools.logs._settings import (
    DockerSource,
    FileSource,
    FolderSource,
    JournalSource,
    LogSource,
)
from lycatra_appservice.tools.logs._sources.files import read_file, read_folder
from lycatra_appservice.tools.logs._sources.journal import read_journal
from lycatra_appservice.tools.logs._sources.reading import Place, Reading, SourceError
from lycatra_appservice.tools.logs._wanted import Found, Wanted

_AT_ONCE: Final = 4  # each may hold some megabytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was found, by the name of its source, and a sentence for each with a problem."""

    found: Sequence[tuple[str, Found]]
    notes: Sequence[str]
    failed: int


async def collect(sources: Sequence[LogSource], wanted: Wanted, ctx: ToolContext) -> Collected:
    """Look into every source, in the order of the configuration."""
    places = asyncio.Semaphore(_AT_ONCE)
    outcomes = await asyncio.gather(*(_outcome(each, wanted, ctx, places) for each in sources))
    by_source = list(zip(sources, outcomes, strict=True))
    return Collected(
        found=[
            (source.name, found)
            for source, outcome in by_source
            if isinstance(outcome, Reading)
            for found in outcome.found
        ],
        notes=[
            f"`{source.name}`: {note}"
            for source, outcome in by_source
            for note in (outcome.notes if isinstance(outcome, Reading) else [str(outcome)])
        ],
        failed=sum(isinstance(outcome, SourceError) for outcome in outcomes),
    )


async def _outcome(
    source: LogSource, wanted: Wanted, ctx: ToolContext, places: asyncio.Semaphore
) -> Reading | SourceError:
    try:
        async with places, asyncio.timeout(source.timeout_seconds):
            return await _read(source, wanted, ctx)
    except TimeoutError:
        failure = SourceError(f"it did not answer within {source.timeout_seconds:g} seconds")
    except SourceError as exc:
        failure = exc
    except ToolFailedError as exc:
        failure = SourceError(exc.user_message.rstrip("."))
    ctx.log.warning(
        "log_source_failed",
        extra={"source": source.name, "reason": str(failure), "detail": failure.detail},
    )
    return failure


async def _read(source: LogSource, wanted: Wanted, ctx: ToolContext) -> Reading:
    place = Place(
        folder=ctx.base_folder,
        now=ctx.now(),
        zone=ctx.zone,
        deadline=time.monotonic() + 0.8 * source.timeout_seconds,  # to give what it has by then
    )
    match source:
        case FileSource():
            return await asyncio.to_thread(read_file, source, place, wanted)
        case FolderSource():
            return await asyncio.to_thread(read_folder, source, place, wanted)
        case JournalSource():
            return await read_journal(source, place, wanted)
        case DockerSource():
            with DOCKER.needed():
                from lycatra_appservice.tools.logs._sources.containers import read_containers
            return await read_containers(source, ctx, place, wanted)
