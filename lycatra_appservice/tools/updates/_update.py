"""One update in the one form that all sources are brought into."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON

_MOST_CHANGES = 30
_LONGEST_TEXT = 300
_MILLISECONDS_FROM = 100_000_000_000  # as seconds this is the year 5138, so it is milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A moment, or a whole day of the configured zone (then `moment` is its beginning)."""

    moment: datetime
    whole_day: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Something that was released, deployed or written down."""

    service: str
    kind: str  # release, unreleased, tag, commit, deployment or entry
    version: str | None = None
    title: str = ""
    when: When | None = None
    changes: Sequence[str] = ()
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one source gave, and a sentence about what it could not give."""

    updates: Sequence[Update]
    note: str | None = None


class SourceError(Exception):
    """A source could not be read; the message is safe to show, `detail` is for the log."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


def clipped(text: str) -> str:
    """Text on one line and of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]}…"


def clipped_changes(changes: Sequence[str]) -> tuple[str, ...]:
    """At most thirty changes, and how many more there were."""
    kept = [clipped(change) for change in changes[:_MOST_CHANGES]]
    if len(changes) > _MOST_CHANGES:
        kept.append(f"and {len(changes) - _MOST_CHANGES} more")
    return tuple(kept)


def read_when(value: JSON, zone: ZoneInfo) -> When | None:
    """A time out of an ISO 8601 text or a Unix time in seconds or milliseconds, else None.

    A time without an offset is one of the zone.
    """
    try:
        if isinstance(value, str):
            return _from_text(value.strip(), zone)
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            return When(moment=datetime.fromtimestamp(seconds, zone), whole_day=False)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _from_text(text: str, zone: ZoneInfo) -> When:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    # Far years overflow when they are brought into another zone, better here than in a list.
    return When(moment=moment.astimezone(zone), whole_day=":" not in text and "T" not in text)
