"""Reads the systemd journal by journalctl."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools._process import Finished, minimal_environment, run_program
from lycatra_appservice.tools.logs._entry import Entry, readable
from lycatra_appservice.tools.logs._settings import JournalSource
from lycatra_appservice.tools.logs._severity import of_syslog
from lycatra_appservice.tools.logs._sources.reading import (
    MOST_BYTES,
    MOST_LINES,
    Place,
    Reading,
    SourceError,
)
from lycatra_appservice.tools.logs._wanted import Wanted, chosen

_FIELDS: Final = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,_COMM"
_NO_RIGHT: Final = (
    "the user that I run as may not read the journal: put it into the group `systemd-journal`"
)


async def read_journal(source: JournalSource, place: Place, wanted: Wanted) -> Reading:
    """The newest entries of the units. Raises SourceError, TimeoutError."""
    try:
        finished = await run_program(
            _argv(source, wanted),
            folder=place.folder,
            environment=minimal_environment(),
            at_most=timedelta(seconds=source.timeout_seconds),
            max_bytes=MOST_BYTES,
        )
    except TimeoutError:
        raise
    except OSError as exc:
        said = "journalctl cannot be started here; in a container there is no journal"
        raise SourceError(said) from exc
    errors = finished.errors.decode(errors="replace")
    if "insufficient permissions" in errors or "not seeing messages" in errors:
        raise SourceError(_NO_RIGHT, detail=errors[:500])
    if finished.exit_code != 0:
        raise SourceError("journalctl could not read it", detail=errors[:500])
    lines = finished.output.split(b"\n")
    return Reading(found=chosen(_entries(lines), wanted), notes=_told(finished, lines))


def _argv(source: JournalSource, wanted: Wanted) -> Sequence[str]:
    until = [f"--until=@{wanted.until.timestamp():.0f}"] if wanted.until else []
    return [
        "journalctl",
        *(["--user"] if source.user else []),
        "--output=json",
        f"--output-fields={_FIELDS}",
        "--no-pager",
        "--reverse",
        f"--lines={MOST_LINES}",
        f"--since=@{max(0, wanted.since.timestamp()):.0f}",
        *until,
        *(f"--{'user-' if source.user else ''}unit={unit}" for unit in source.units),
    ]


def _told(finished: Finished, lines: Sequence[bytes]) -> Sequence[str]:
    is_cut = len(finished.output) >= MOST_BYTES or len(lines) > MOST_LINES
    return ["it is so long that only its newest part was read"] if is_cut else []


def _entries(lines: Sequence[bytes]) -> Iterator[Entry]:
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the last one may be cut
        if isinstance(record, dict):
            yield _entry(record)


def _entry(record: dict[str, Any]) -> Entry:
    identifier = record.get("SYSLOG_IDENTIFIER") or record.get("_COMM") or ""
    priority = str(record.get("PRIORITY", ""))
    return Entry(
        when=_when(record.get("__REALTIME_TIMESTAMP")),
        severity=of_syslog(int(priority)) if priority.isdecimal() else None,
        text=_message(record.get("MESSAGE")),
        place=readable(str(identifier).encode(errors="replace")),
    )


def _message(value: JSON) -> str:
    """What is no valid text comes as a list of bytes, what is too long as null."""
    if isinstance(value, list):
        numbers = (each for each in value if isinstance(each, int))
        value = bytes(each for each in numbers if 0 <= each <= 255).decode(errors="replace")
    lines = [readable(each.encode(errors="replace")) for each in str(value or "").split("\n")]
    return "\n".join(lines[:40])


def _when(value: JSON) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value) / 1_000_000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
