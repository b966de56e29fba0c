"""Takes out of JSON what a configuration names: the entries, and the facts of each; pure."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.model import JSON
from lycatra_appservice.settings_http_json import HttpJsonField

_ITSELF: Final = "."
_LONGEST_TEXT: Final = 300
_MOST_PARTS: Final = 10  # of a fact that is a list, such as labels
_LINK: Final = re.compile(r"https?://[^\s<>|\"`]{1,1000}")
_MILLISECONDS_FROM: Final = 10**11  # as seconds that would be in the year 5138


class NoEntriesError(ValueError):
    """There is nothing where the entries should stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A value as a program takes it and as a person reads it, empty for none."""

    value: JSON
    said: str


def entries_in(document: JSON, path: str) -> Sequence[JSON]:
    """The list that stands there, or the one object. Raises NoEntriesError."""
    found = value_at(document, path) if path else document
    if isinstance(found, Mapping):
        return [found]
    if not isinstance(found, list):
        raise NoEntriesError
    return found


def value_at(record: JSON, path: str) -> JSON:
    """What stands under a dotted path; None when any part of it is missing.

    A number goes into a list; any other name into each object of one.
    """
    if path == _ITSELF:
        return record
    for key in path.split("."):
        if isinstance(record, Mapping):
            record = record.get(key)
        elif isinstance(record, list) and key.isdecimal():
            record = record[int(key)] if int(key) < len(record) else None
        elif isinstance(record, list):
            record = [each.get(key) for each in record if isinstance(each, Mapping)]
        else:
            return None
    return record


def fact_of(record: JSON, field: HttpJsonField, zone: ZoneInfo) -> Fact:
    """One fact of one entry."""
    found = value_at(record, field.key)
    if isinstance(found, list):
        parts = [_plain(each, field, zone) for each in found[:_MOST_PARTS]]
        known = [each for each in parts if each.said]
        said = ", ".join(each.said for each in known)
        return Fact(value=[each.value for each in known], said=said)
    return _plain(found, field, zone)


def _plain(found: JSON, field: HttpJsonField, zone: ZoneInfo) -> Fact:
    if found is None or isinstance(found, Mapping | list):
        return Fact(value=None, said="")
    if words := field.words.get(_written(found)):
        return Fact(value=words, said=words)
    match field.kind:
        case "time":
            return _time(found, zone)
        case "link":
            link = _LINK.fullmatch(str(found).strip())
            return Fact(value=link[0], said=f"<{link[0]}>") if link else Fact(value=None, said="")
        case "text":
            return _text(found, field.unit)


def _text(found: JSON, unit: str) -> Fact:
    if isinstance(found, bool):
        return Fact(value=found, said="yes" if found else "no")
    if isinstance(found, float) and not math.isfinite(found):
        return Fact(value=None, said="")
    if isinstance(found, int | float):
        return Fact(value=found, said=f"{_number(found)} {unit}".rstrip())
    text = _cut(" ".join(str(found).split()))
    return Fact(value=text, said=f"{text} {unit}".rstrip() if text else "")


def _time(found: JSON, zone: ZoneInfo) -> Fact:
    try:
        when = _moment(found, zone).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return _text(found, "")
    return Fact(value=when.isoformat(timespec="seconds"), said=f"{when:%Y-%m-%d %H:%M}")


def _moment(found: JSON, zone: ZoneInfo) -> datetime:
    if isinstance(found, int | float):
        seconds = found / 1000 if abs(found) >= _MILLISECONDS_FROM else found
        return datetime.fromtimestamp(seconds, UTC)
    moment = datetime.fromisoformat(str(found))
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment


def _number(found: float) -> str:
    return str(found) if isinstance(found, int) else f"{found:.6g}"


def _written(found: JSON) -> str:
    return str(found).lower() if isinstance(found, bool) else str(found)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
