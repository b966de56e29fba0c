"""Times ahead as people say them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from lycatra_appservice.tools.assistant._when import read_when

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday, 13:00 in Berlin


@pytest.mark.parametrize(
    ("words", "local"),
    [
        ("in 20 minutes", "2026-11-22T13:20"),
        ("in 20min", "2026-11-22T13:20"),
        ("In an hour", "2026-11-22T14:00"),
        ("in 2 days", "2026-11-24T13:00"),
        ("in einer Stunde", "2026-11-22T14:00"),
        ("in 3 Wochen", "2026-12-13T13:00"),
        ("tomorrow 9:00", "2026-11-23T09:00"),
        ("tomorrow at 9 am", "2026-11-23T09:00"),
        ("morgen um 9 Uhr", "2026-11-23T09:00"),
        ("Übermorgen 18.30 Uhr", "2026-11-24T18:30"),
        ("today 18:00", "2026-11-22T18:00"),
        ("heute, 18:00", "2026-11-22T18:00"),
        ("18:00", "2026-11-22T18:00"),
        ("9:00", "2026-11-23T09:00"),
        ("6 pm", "2026-11-22T18:00"),
        ("12 am", "2026-11-23T00:00"),
        ("on friday 14:30", "2026-11-27T14:30"),
        ("Freitag 14:30", "2026-11-27T14:30"),
        ("sunday 14:00", "2026-11-22T14:00"),
        ("sunday 12:00", "2026-11-29T12:00"),
        ("2026-12-24 18:00", "2026-12-24T18:00"),
        ("2026-12-24T18:00", "2026-12-24T18:00"),
    ],
)
def test_what_people_say_is_a_time_of_their_zone(words: str, local: str) -> None:
    assert read_when(words, NOW, ZONE) == datetime.fromisoformat(local).replace(tzinfo=ZONE)


def test_a_zone_that_is_said_counts() -> None:
    assert read_when("2026-12-24T18:00Z", NOW, ZONE) == datetime(2026, 12, 24, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "words", "utc"),
    [
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "tomorrow 9:00", 7),  # the clocks go forward
        (datetime(2026, 10, 24, 12, tzinfo=UTC), "tomorrow 9:00", 8),  # and back
    ],
)
def test_a_change_of_the_clocks_moves_no_hour_of_the_day(
    now: datetime, words: str, utc: int
) -> None:
    assert read_when(words, now, ZONE).astimezone(UTC).hour == utc


def test_what_is_over_is_told_as_it_is() -> None:
    assert read_when("today 9:00", NOW, ZONE) < NOW


@pytest.mark.parametrize(
    "words",
    [
        *("soon", "tomorrow", "friday", "in minutes", "in many days", "in 5 lightyears"),
        *("25:00", "9:75", "14 pm", "2026-12-24", "2026-13-01 09:00", "2026-02-30 9:00", "-5:00"),
        *("in 9999 w ago", "tomorrow tomorrow 9:00", "\u0664:00"),
    ],
)
def test_what_is_no_time_is_refused(words: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (what is wrong with it interests nobody)
        read_when(words, NOW, ZONE)
