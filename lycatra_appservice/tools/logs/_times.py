"""Times as they stand at the beginning of lines of logs."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

_LOOKED_AT: Final = 200  # characters of a line; its time stands at the beginning
_TIME: Final = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_ZONE: Final = r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_PARTS: Final = ("day", "hour", "minute", "second")
_NAMED: Final = rf"(?P<name>{'|'.join(_MONTHS)})"
_FORMS: Final = (
    re.compile(
        r"(?P<year>\d{4})[-/](?P<month>\d\d)[-/](?P<day>\d\d)[T ]"
        rf"{_TIME}(?:[.,](?P<fraction>\d{{1,9}}))? ?{_ZONE}"
    ),
    re.compile(rf"(?P<day>\d\d)/{_NAMED}/(?P<year>\d{{4}}):{_TIME} ?{_ZONE}", re.I),
    re.compile(rf"^(?:<\d+>)?{_NAMED} {{1,2}}(?P<day>\d{{1,2}}) {_TIME}", re.I),
    re.compile(rf"^[EWIF](?P<month>\d\d)(?P<day>\d\d) {_TIME}(?:\.(?P<fraction>\d{{1,9}}))?"),
)


def timed(line: str, now: datetime, zone: ZoneInfo) -> tuple[datetime | None, str]:
    """When a line was written, as it says itself, and the line without what it begins with.

    ISO 8601 and what syslog and web servers write. A time without a zone is one of `zone`;
    without a year it is the last such day.
    """
    beginning = line[:_LOOKED_AT]
    for form in _FORMS:
        if found := form.search(beginning):
            try:
                when = _moment(found.groupdict(), now, zone)
            except (ValueError, OverflowError):
                return None, line
            is_first = found.start() <= len("[")
            return when, line[found.end() :].lstrip(" \t]|:") if is_first else line
    return None, line


def _moment(said: Mapping[str, str | None], now: datetime, zone: ZoneInfo) -> datetime:
    year, named = said.get("year"), said.get("name")
    month = _MONTHS.index(named.casefold()) + 1 if named else int(said.get("month") or 0)
    day, hour, minute, second = (int(said[part] or 0) for part in _PARTS)
    moment = datetime(
        int(year) if year else now.astimezone(zone).year,
        month,
        day,
        hour,
        minute,
        second,
        microsecond=int(f"{said.get('fraction') or '':0<6}"[:6]),
        tzinfo=_zone(said.get("zone"), zone),
    )
    if year is None and moment > now + timedelta(days=1):
        moment = moment.replace(year=moment.year - 1)
    moment.astimezone(zone)  # far years overflow: better here than in a list
    return moment


def _zone(said: str | None, otherwise: ZoneInfo) -> timezone | ZoneInfo:
    if not said:
        return otherwise
    if said.upper() == "Z":
        return UTC
    offset = timedelta(hours=int(said[1:3]), minutes=int(said[-2:]))
    return timezone(-offset if said[0] == "-" else offset)
