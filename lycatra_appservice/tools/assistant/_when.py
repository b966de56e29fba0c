"""Times ahead as people say them, in English and German; pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.tools.assistant._days import DAY, days_meant
from lycatra_appservice.tools.assistant._spans import span_of

EXAMPLES: Final = "`in 20 minutes`, `tomorrow 9:00`, `friday 14:30` or `2026-12-24 18:00`"

_ON: Final = rf"(?:(?:on|am) )?(?P<day>{DAY})"
_AT: Final = (
    r"(?P<at>at |um )?(?P<hour>[0-9]{1,2})(?:(?P<colon>[:.h])(?P<minute>[0-9]{2}))?"
    r"(?: ?(?P<half>am|pm|uhr))?"
)
_FORMS: Final = tuple(map(re.compile, (_AT, rf"{_ON} {_AT}", rf"{_AT} {_ON}")))
_DAY_ALONE: Final = len("2026-12-24")


def read_when(words: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The moment that somebody means, in `zone`; so is what is said without a zone.

    Raises ValueError or OverflowError for what is none. The moment may be over already.
    """
    said = _plain(words)
    if (span := span_of(said.removeprefix("in "))) is not None:
        return _after(span, now, zone)
    if (parts := _parts(said)) is not None:
        return _of_day(parts, now, zone)
    exact = datetime.fromisoformat(words.strip())
    if len(words.strip()) <= _DAY_ALONE:
        raise ValueError("a day alone is no time")
    return exact.astimezone(zone) if exact.tzinfo else _instant(exact, now, zone)


def can_be_a_number(words: str) -> bool:
    """Whether words that say a time could as well say how many: `9`, `tomorrow 9`."""
    parts = _parts(_plain(words))
    return parts is not None and not (parts["at"] or parts["colon"] or parts["half"])


def _plain(words: str) -> str:
    return " ".join(re.sub(r",(?=\s|$)", " ", words.casefold()).split())


def _parts(said: str) -> Mapping[str, str | None] | None:
    found = (form.fullmatch(said) for form in _FORMS)
    return next((each.groupdict() for each in found if each is not None), None)


def _after(span: timedelta, now: datetime, zone: ZoneInfo) -> datetime:
    """Whole days later the clock shows the same, also when it was changed meanwhile."""
    days, rest = divmod(span, timedelta(days=1))
    wall = now.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    begin = _instant(wall, now, zone) if days else now
    return (begin.astimezone(UTC) + rest).astimezone(zone)


def _of_day(said: Mapping[str, str | None], now: datetime, zone: ZoneInfo) -> datetime:
    at = _time(int(said["hour"] or 0), int(said["minute"] or 0), said["half"])
    today = now.astimezone(zone).date()
    named = said.get("day")  # without it, the next time that the clock shows it
    day, otherwise = days_meant(named, today) if named else (today, today + timedelta(days=1))
    moment = _instant(datetime.combine(day, at), now, zone)
    if moment > now or otherwise is None:
        return moment
    return _instant(datetime.combine(otherwise, at), now, zone)


def _time(hour: int, minute: int, half: str | None) -> time:
    if half == "pm" or (half == "am" and hour <= 12):  # "15:00 am Freitag" is no morning
        if not 1 <= hour <= 12:
            raise ValueError("there is no such hour")
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute)


def _instant(wall: datetime, now: datetime, zone: ZoneInfo) -> datetime:
    """When a clock of the zone shows it.

    What it shows twice in autumn is the first one still to come; what it leaves out in spring is
    as much later.
    """
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return (first if first > now else max(first, second)).astimezone(zone)
