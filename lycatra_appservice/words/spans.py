"""Spans of time as people say them: one unit, no fractions."""

from datetime import timedelta
from math import ceil
from typing import Final

from lycatra_appservice.words.text import Text

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def roughly(length: timedelta) -> Text:
    """To the nearest, for what is over: "5 hours"."""
    seconds = length.total_seconds()
    return _in_words(round(seconds / _unit_of(seconds)), _unit_of(seconds))


def at_least(length: timedelta) -> Text:
    """Rounded up, for what is to be waited for: "a minute"."""
    seconds = length.total_seconds()
    return _in_words(ceil(seconds / _unit_of(seconds)), _unit_of(seconds))


def in_seconds(length: timedelta) -> Text:
    """Exactly, for a limit that was set in seconds: "0.5 seconds"."""
    return Text("seconds", n=f"{length.total_seconds():g}")


def _unit_of(seconds: float) -> int:
    """The largest of which there are two, or a minute: "90 minutes" says more than "2 hours"."""
    for unit in (_DAY, _HOUR):
        if seconds >= 2 * unit:
            return unit
    return _MINUTE if seconds >= _MINUTE else 1


def _in_words(n: int, unit: int) -> Text:
    if unit == _DAY:
        return Text("days", n=n)
    if unit == _HOUR:
        return Text("hours", n=n)
    if unit == _MINUTE:
        return Text("minutes", n=n) if n > 1 else Text("minute")
    return Text("seconds", n=n) if n > 1 else Text("second")
