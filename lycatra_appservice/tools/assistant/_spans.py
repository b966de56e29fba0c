"""Spans of time as people say them, in English and German; pure."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

_UNITS: Final[Mapping[str, timedelta]] = {
    **dict.fromkeys(
        ("s", "sec", "secs", "second", "seconds", "sekunde", "sekunden"), timedelta(seconds=1)
    ),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "minuten"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour", "hours", "stunde", "stunden"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days", "tag", "tage", "tagen"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks", "woche", "wochen"), timedelta(weeks=1)),
}
_NUMBERS: Final[Mapping[str, float]] = {
    **dict.fromkeys(("a", "an", "one", "ein", "eine", "einer", "einem", "einen"), 1),
    **dict.fromkeys(("half a", "half an", "eine halbe", "einer halben"), 0.5),
}
_PART: Final = re.compile(
    rf"(?P<number>[0-9]{{1,4}}(?:[.,][0-9]{{1,2}})?|{'|'.join(sorted(_NUMBERS, key=len)[::-1])})"
    rf" ?(?P<unit>{'|'.join(sorted(_UNITS, key=len)[::-1])})(?: (?:and |und )?|$)"
)


def span_of(said: str) -> timedelta | None:
    """`1 hour 30 minutes`, `half an hour`, `zwei`… in small letters; None for what is none."""
    span, at = timedelta(0), 0
    while at < len(said):
        part = _PART.match(said, at)
        if part is None:
            return None
        number = part["number"]
        times = _NUMBERS.get(number) or float(number.replace(",", "."))
        span += times * _UNITS[part["unit"]]
        at = part.end()
    return span if said else None
