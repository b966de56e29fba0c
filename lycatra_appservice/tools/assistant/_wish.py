"""Tells in a wish to be reminded the time from what it is about; pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from lycatra_appservice.tools.assistant._when import can_be_a_number, read_when

_MOST_WORDS = 7  # of a time: "in 2 hours and 30 minutes"


def when_and_what(when: str, text: str, now: datetime, zone: ZoneInfo) -> tuple[datetime, str]:
    """The moment, and the rest of the words.

    Of `!remind me tomorrow 9:00 water the plants` the first word alone is taken for `when`: more
    of the time stands at the beginning of `text`, or all of it at its end. Raises ValueError or
    OverflowError where no time is.
    """
    words = [when, *text.split()]
    if " " in when.strip():
        return read_when(when, now, zone), text
    if (found := _first(_beginnings(words), now, zone)) is not None:
        return found
    try:
        return read_when(when, now, zone), text
    except (ValueError, OverflowError):
        if (found := _first(_ends(words), now, zone)) is not None:
            return found
        raise


def _beginnings(words: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """The longest first."""
    for number in range(min(_MOST_WORDS, len(words)), 0, -1):
        yield words[:number], words[number:]


def _ends(words: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """The longest first."""
    for number in range(min(_MOST_WORDS, len(words) - 1), 0, -1):
        yield words[-number:], words[:-number]


def _first(
    cuts: Iterator[tuple[Sequence[str], Sequence[str]]], now: datetime, zone: ZoneInfo
) -> tuple[datetime, str] | None:
    for time, rest in cuts:
        said = " ".join(time)
        if can_be_a_number(said):
            continue
        try:
            return read_when(said, now, zone), " ".join(rest).removeprefix("to ")
        except (ValueError, OverflowError):
            continue
    return None
