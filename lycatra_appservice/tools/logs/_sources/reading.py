"""What reading a source gives, and what it is given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.tools.logs._entry import Entry, read_line
from lycatra_appservice.tools.logs._wanted import Found

MOST_BYTES: Final = 32 * 1024 * 1024  # read of one source for one question
MOST_LINES: Final = 20_000  # asked of a journal or an engine, which count them


class SourceError(Exception):
    """A source could not be read; the message is safe to show, `detail` is for the log."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and when a question is asked: relative paths start at `folder`."""

    folder: Path
    now: datetime
    zone: ZoneInfo
    deadline: float  # of time.monotonic(), for what runs in a thread and cannot be cancelled

    def read(self, line: str) -> Entry:
        """A line as an entry."""
        return read_line(line, self.now, self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a source gave, newest first, and sentences about what was not looked at."""

    found: Sequence[Found]
    notes: Sequence[str] = field(default=())
