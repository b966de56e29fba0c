"""One entry of a log in the one form that all sources are brought into."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools.logs._severity import Severity, severity_in, severity_of
from lycatra_appservice.tools.logs._times import timed

LONGEST_LINE: Final = 8000  # characters; nobody reads on, and longer JSON is not looked into

_MILLISECONDS_FROM: Final = 100_000_000_000  # as seconds this is the year 5138
# Colours and the like, and what turns the direction of a text around.
_NOISE: Final = re.compile(
    r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_TIMES: Final = ("time", "timestamp", "@timestamp", "ts", "t", "date", "datetime")
_LEVELS: Final = ("level", "severity", "levelname", "lvl", "log.level", "loglevel", "PRIORITY")
_MESSAGES: Final = ("message", "msg", "event", "MESSAGE")
_PLAIN: Final = re.compile(r"[^\s\"'=]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`when` is None where the line says no time; `place` tells where in its source it stands."""

    when: datetime | None
    severity: Severity | None
    text: str
    place: str = ""


def readable(raw: bytes) -> str:
    """A line as text on which no screen stumbles, and not too long."""
    text = raw[: LONGEST_LINE * 4].decode(errors="replace")
    return _NOISE.sub("", text).rstrip()[:LONGEST_LINE]


def read_line(line: str, now: datetime, zone: ZoneInfo) -> Entry:
    """A line with what it says of itself: text of any usual form, or one JSON object."""
    if line.startswith("{") and (record := _object(line)) is not None:
        return _from_record(record, now, zone)
    when, said = timed(line, now, zone)
    return Entry(when=when, severity=severity_of(line), text=said)


def _object(line: str) -> Mapping[str, JSON] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _from_record(record: Mapping[str, JSON], now: datetime, zone: ZoneInfo) -> Entry:
    told = {key: record[key] for key in (_key(record, _TIMES), _key(record, _LEVELS)) if key}
    message = _key(record, _MESSAGES)
    rest = {key: value for key, value in record.items() if key not in {*told, message}}
    said = str(record[message]) if message else ""
    text = " ".join([said, *(f"{key}={_shown(value)}" for key, value in rest.items())]).strip()
    severity = severity_in(record.get(_key(record, _LEVELS) or ""))
    return Entry(
        when=_time_in(record.get(_key(record, _TIMES) or ""), now, zone),
        severity=severity or severity_of(text),
        text=text[:LONGEST_LINE],
    )


def _key(record: Mapping[str, JSON], keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if record.get(key) not in (None, "")), None)


def _shown(value: JSON) -> str:
    """A value as it stands behind its key; in quotes where it could seem to be several."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _time_in(value: JSON, now: datetime, zone: ZoneInfo) -> datetime | None:
    if isinstance(value, str):
        return timed(value, now, zone)[0]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value / 1000 if value >= _MILLISECONDS_FROM else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
