"""Reads all sources at the same time; one that fails is named, the others still answer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import ToolContext
from lycatra_appservice.tools.updates._changelog import own_changelog, read_changelog
from lycatra_appservice.tools.updates._deploy_log import read_deploy_log
from lycatra_appservice.tools.updates._git import read_git
from lycatra_appservice.tools.updates._settings import (
    ChangelogSource,
    DeployLogSource,
    GitSource,
    UpdateSource,
    UrlSource,
)
from lycatra_appservice.tools.updates._update import Reading, SourceError, Update
from lycatra_appservice.tools.updates._url import read_url

_MAX_BYTES = 2_000_000  # of a file: years of a changelog, months of a deploy log


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """Everything that could be read, and a sentence for each source with a problem."""

    updates: Sequence[Update]
    notes: Sequence[str]
    failed: int


async def collect(sources: Sequence[UpdateSource], ctx: ToolContext) -> Collected:
    """Read every source, newest or not, in the order of the configuration."""
    readings = await asyncio.gather(*(_outcome(source, ctx) for source in sources))
    return Collected(
        updates=[
            update
            for reading in readings
            if isinstance(reading, Reading)
            for update in reading.updates
        ],
        notes=[
            f"`{source.name}`: {note}"
            for source, reading in zip(sources, readings, strict=True)
            if (note := str(reading) if isinstance(reading, SourceError) else reading.note)
        ],
        failed=sum(isinstance(reading, SourceError) for reading in readings),
    )


async def _outcome(source: UpdateSource, ctx: ToolContext) -> Reading | SourceError:
    try:
        async with asyncio.timeout(source.timeout_seconds):
            return await _read(source, ctx)
    except TimeoutError:
        failure = SourceError(f"it did not answer within {source.timeout_seconds:g} seconds")
    except SourceError as exc:
        failure = exc
    ctx.log.warning(
        "update_source_failed",
        extra={"source": source.name, "reason": str(failure), "detail": failure.detail},
    )
    return failure


async def _read(source: UpdateSource, ctx: ToolContext) -> Reading:
    match source:
        case ChangelogSource():
            return await asyncio.to_thread(_changelog, source, ctx.base_folder, ctx.zone)
        case DeployLogSource():
            return await asyncio.to_thread(_deploy_log, source, ctx.base_folder, ctx.zone)
        case GitSource():
            return await read_git(source, ctx.base_folder / source.path, ctx.zone)
        case UrlSource():
            return await read_url(source, ctx.http, ctx.zone)


def _changelog(source: ChangelogSource, base_folder: Path, zone: ZoneInfo) -> Reading:
    path = base_folder / source.path if source.path else own_changelog()
    return read_changelog(_beginning(path), source.default_service, zone)


def _deploy_log(source: DeployLogSource, base_folder: Path, zone: ZoneInfo) -> Reading:
    return read_deploy_log(_end(base_folder / source.path), source, zone)


def _beginning(path: Path) -> str:
    """The newest part of a file that grows at its beginning."""
    return _file_part(path, 0)


def _end(path: Path) -> str:
    """The newest part of a file that grows at its end, beginning with a whole line."""
    text = _file_part(path, -_MAX_BYTES)
    too_large = path.stat().st_size > _MAX_BYTES
    return text.partition("\n")[2] if too_large else text


def _file_part(path: Path, start: int) -> str:
    try:
        if not path.is_file():  # a pipe or a device could be read for ever
            raise SourceError("its file is missing", detail=str(path))
        with path.open("rb") as file:
            if start < 0:
                file.seek(max(0, path.stat().st_size + start))
            return file.read(_MAX_BYTES).decode(errors="replace")
    except OSError as exc:
        raise SourceError("its file cannot be read", detail=f"{path}: {exc.strerror}") from exc
