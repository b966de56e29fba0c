"""Times ahead as people say them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from lycatra_appservice.tools.assistant._when import read_when
from lycatra_appservice.tools.assistant._wish import when_and_what

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
        ("2026-12-24 9:30", "2026-12-24T09:30"),
        ("in 30 seconds", "2026-11-22T13:00:30"),
        ("20 minutes", "2026-11-22T13:20"),
        ("in half an hour", "2026-11-22T13:30"),
        ("in einer halben Stunde", "2026-11-22T13:30"),
        ("in 1 hour and 30 minutes", "2026-11-22T14:30"),
        ("in 1,5 Stunden", "2026-11-22T14:30"),
        ("1h 15m", "2026-11-22T14:15"),
        ("9:00 tomorrow", "2026-11-23T09:00"),
        ("at 9 am on monday", "2026-11-23T09:00"),
        ("15:00 am Freitag", "2026-11-27T15:00"),
        ("next sunday 14:00", "2026-11-29T14:00"),
        ("24.12. 18:00", "2026-12-24T18:00"),
        ("am 24.12. um 18 Uhr", "2026-12-24T18:00"),
        ("24.12.2026 18:00", "2026-12-24T18:00"),
        ("1.2. 9:00", "2027-02-01T09:00"),
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


def test_days_later_it_is_the_same_hour_though_the_clocks_were_changed() -> None:
    before = datetime(2026, 3, 28, 8, tzinfo=UTC)  # 9:00; the next night has an hour less

    assert read_when("in 1 day", before, ZONE).hour == 9
    assert read_when("in 24 hours", before, ZONE).hour == 9
    assert read_when("in 23 hours", before, ZONE).hour == 9


@pytest.mark.parametrize(
    ("now", "words", "utc"),
    [
        # 2:30 is left out that night: half an hour after what would have been 2:00 is 3:30.
        ("2026-03-28T20:00", "tomorrow 2:30", "2026-03-29T01:30"),
        # 2:30 comes twice that night.
        ("2026-10-24T20:00", "tomorrow 2:30", "2026-10-25T00:30"),
        ("2026-10-25T00:40", "2:30", "2026-10-25T01:30"),
        ("2026-10-25T00:40", "2:50", "2026-10-25T00:50"),
        ("2026-10-25T01:40", "2:30", "2026-10-26T01:30"),
    ],
)
def test_hours_that_come_twice_or_not_at_all_are_still_to_come(
    now: str, words: str, utc: str
) -> None:
    at = read_when(words, datetime.fromisoformat(now).replace(tzinfo=UTC), ZONE)

    assert at.astimezone(UTC) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_what_is_over_is_told_as_it_is() -> None:
    assert read_when("today 9:00", NOW, ZONE) < NOW


@pytest.mark.parametrize(
    "words",
    [
        *("soon", "tomorrow", "friday", "in minutes", "in many days", "in 5 lightyears"),
        *("25:00", "9:75", "14 pm", "2026-12-24", "2026-13-01 09:00", "2026-02-30 9:00", "-5:00"),
        *(
            "in 9999 w ago",
            "tomorrow tomorrow 9:00",
            "\u0664:00",
            "",
            "in",
            "0001-01-01T00:00+14:00",
        ),
        *("32.1. 9:00", "29.2. 9:00", "1.2 9:00"),
    ],
)
def test_what_is_no_time_is_refused(words: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        read_when(words, NOW, ZONE)


@pytest.mark.parametrize(
    ("words", "local", "what"),
    [
        ("tomorrow 9:00 water the plants", "2026-11-23T09:00", "water the plants"),
        ("in 20 minutes to check the oven", "2026-11-22T13:20", "check the oven"),
        ("in 20 Minuten an den Tee", "2026-11-22T13:20", "an den Tee"),
        ("friday 14:30", "2026-11-27T14:30", ""),
        ("18:00 9 lives of cats", "2026-11-22T18:00", "9 lives of cats"),
        ("9 am feed 9 cats", "2026-11-23T09:00", "feed 9 cats"),
        ("9 call Bob at 10:00", "2026-11-23T09:00", "call Bob at 10:00"),
        ("to water the plants tomorrow at 9", "2026-11-23T09:00", "water the plants"),
        ("to read chapter 3 in an hour", "2026-11-22T14:00", "read chapter 3"),
        ("2026-12-24 18:00 presents", "2026-12-24T18:00", "presents"),
    ],
)
def test_a_wish_in_a_row_is_a_time_and_what_it_is_about(words: str, local: str, what: str) -> None:
    when, _, text = words.partition(" ")

    at, about = when_and_what(when, text, NOW, ZONE)

    assert (at.isoformat()[: len(local)], about) == (local, what)


@pytest.mark.parametrize("words", ["tomorrow 9 lives of cats", "water the plants", "to"])
def test_a_wish_without_a_time_is_refused(words: str) -> None:
    when, _, text = words.partition(" ")
    with pytest.raises(ValueError):  # noqa: PT011 (as above)
        when_and_what(when, text, NOW, ZONE)


def test_a_time_that_was_given_apart_stays_apart_from_the_text() -> None:
    at, about = when_and_what("friday 14:30", "in 2 hours it begins", NOW, ZONE)

    assert (at.hour, about) == (14, "in 2 hours it begins")
