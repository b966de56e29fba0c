"""Times ahead as people say them, in English and German; pure."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

EXAMPLES: Final = "`in 20 minutes`, `tomorrow 9:00`, `friday 14:30` or `2026-12-24 18:00`"

_UNITS: Final[Mapping[str, timedelta]] = {
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "minuten"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour", "hours", "stunde", "stunden"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days", "tag", "tage", "tagen"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks", "woche", "wochen"), timedelta(weeks=1)),
}
_NUMBERS: Final[Mapping[str, int]] = dict.fromkeys(
    ("a", "an", "one", "ein", "eine", "einer", "einem", "einen"), 1
)
_DAYS: Final[Mapping[str, int]] = {
    "today": 0,
    "heute": 0,
    "tomorrow": 1,
    "morgen": 1,
    "übermorgen": 2,
}
_WEEKDAYS: Final = (
    ("monday", "mon", "montag", "mo"),
    ("tuesday", "tue", "dienstag", "di"),
    ("wednesday", "wed", "mittwoch", "mi"),
    ("thursday", "thu", "donnerstag", "do"),
    ("friday", "fri", "freitag", "fr"),
    ("saturday", "sat", "samstag", "sonnabend", "sa"),
    ("sunday", "sun", "sonntag", "so"),
)
_IN: Final = re.compile(r"in (?P<number>[0-9]{1,4}|[a-z]+) ?(?P<unit>[a-zäöü]+)")
_OF_DAY: Final = re.compile(
    r"(?:(?P<day>[a-zäöü]+|[0-9]{4}-[0-9]{2}-[0-9]{2})(?: |$))?(?:at |um |t)?"
    r"(?:(?P<hour>[0-9]{1,2})(?:[:.h](?P<minute>[0-9]{2}))?(?: ?(?P<half>am|pm|uhr))?)?"
)


def read_when(words: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The moment that somebody means; a time without a zone is one of `zone`.

    Raises ValueError for what is none. The moment may be over already.
    """
    said = " ".join(words.casefold().replace(",", " ").split()).removeprefix("on ")
    said = said.removeprefix("am ") if said[3:4].isalpha() else said
    if found := _IN.fullmatch(said):
        return now + _number(found["number"]) * _unit(found["unit"])
    try:
        exact = datetime.fromisoformat(words.strip())
    except ValueError:
        return _of_day(said, now.astimezone(zone), zone)
    if len(words.strip()) <= len("2026-12-24"):
        raise ValueError("a day alone is no time")
    return exact if exact.tzinfo else exact.replace(tzinfo=zone)


def _number(word: str) -> int:
    if word.isdecimal():
        return int(word)
    if word not in _NUMBERS:
        raise ValueError(f"{word} is no number")
    return _NUMBERS[word]


def _unit(word: str) -> timedelta:
    if word not in _UNITS:
        raise ValueError(f"{word} is no unit of time")
    return _UNITS[word]


def _of_day(said: str, local: datetime, zone: ZoneInfo) -> datetime:
    found = _OF_DAY.fullmatch(said)
    if found is None or found["hour"] is None:
        raise ValueError("no time of the day is said")
    at = _time(int(found["hour"]), int(found["minute"] or 0), found["half"])
    if found["day"] is None:
        moment = datetime.combine(local.date(), at, zone)
        if moment <= local:  # the next time that the clock shows it
            moment = datetime.combine(local.date() + timedelta(days=1), at, zone)
        return moment
    moment = datetime.combine(_day(found["day"], local.date()), at, zone)
    if moment <= local and _weekday(found["day"]) is not None:
        return datetime.combine(moment.date() + timedelta(days=7), at, zone)
    return moment


def _time(hour: int, minute: int, half: str | None) -> time:
    if half in ("am", "pm"):
        if not 1 <= hour <= 12:
            raise ValueError("there is no such hour")
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute)


def _day(word: str, today: date) -> date:
    if word in _DAYS:
        return today + timedelta(days=_DAYS[word])
    weekday = _weekday(word)
    if weekday is not None:
        return today + timedelta(days=(weekday - today.weekday()) % 7)
    return date.fromisoformat(word)


def _weekday(word: str) -> int | None:
    return next((n for n, names in enumerate(_WEEKDAYS) if word in names), None)
