"""Days ahead as people say them, in English and German; pure."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

# Of a day in small letters: a word, or a date that may lack its year.
DAY: Final = r"(?:next |nächste[nr]? )?[a-zäöü]+|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9.]{4,10}"

_WORDS: Final[Mapping[str, int]] = {
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
_DOTTED: Final = re.compile(r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{4})?")


def days_meant(said: str, today: date) -> tuple[date, date | None]:
    """The next such day, today included, and the one to take when that is over at the time said.

    Raises ValueError for what is no day.
    """
    if said in _WORDS:
        return today + timedelta(days=_WORDS[said]), None
    before, _, name = said.rpartition(" ")
    weekday = next((n for n, names in enumerate(_WEEKDAYS) if name in names), None)
    if weekday is None:
        return (_dotted(found, today) if (found := _DOTTED.fullmatch(said)) else _iso(said)), None
    day = today + timedelta(days=(weekday - today.weekday()) % 7)
    if before and day == today:  # "next" is never today
        day += timedelta(days=7)
    return day, day + timedelta(days=7)


def _dotted(found: re.Match[str], today: date) -> date:
    month, day = int(found["month"]), int(found["day"])
    if found["year"]:
        return date(int(found["year"]), month, day)
    this_year = date(today.year, month, day)
    return this_year if this_year >= today else date(today.year + 1, month, day)


def _iso(said: str) -> date:
    return date.fromisoformat(said)
