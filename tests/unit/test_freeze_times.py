"""Times in which nothing may be changed, in the configured time zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from lycatra_appservice.freeze_times import frozen_until, is_endless, read_freeze_time

BERLIN = ZoneInfo("Europe/Berlin")
WEEKEND = ["fri 18:00-24:00", "sat-sun", "mon 00:00-08:00"]


def at(text: str) -> datetime:
    """In 2026: November 23 is a Monday."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("written", "now", "until"),
    [
        (["22:00-06:00"], "11-23T21:59", None),
        (["22:00-06:00"], "11-23T22:00", "11-24T06:00"),
        (["22:00-06:00"], "11-24T05:59", "11-24T06:00"),
        (["22:00-06:00"], "11-24T06:00", None),
        (["fri 22:00-06:00"], "11-28T05:00", "11-28T06:00"),  # Saturday, of Friday's span
        (["fri 22:00-06:00"], "11-27T05:00", None),
        (["mon-fri 09:00-17:00"], "11-28T10:00", None),
        (["sat-mon"], "11-23T23:59", "11-24T00:00"),
        (WEEKEND, "11-27T17:59", None),
        (WEEKEND, "11-27T18:00", "11-30T08:00"),
        (WEEKEND, "11-29T12:00", "11-30T08:00"),
        (["sun"], "03-29T01:59", "03-30T00:00"),  # a day of 23 hours
        (["00:00-24:00"], "11-23T12:00", "12-01T00:00"),  # for ever: a week is told
        ([], "11-23T12:00", None),
    ],
)
def test_a_freeze_lasts_to_the_end_of_all_that_follow_each_other(
    written: list[str], now: str, until: str | None
) -> None:
    freeze = [read_freeze_time(span) for span in written]

    assert frozen_until(freeze, at(now)) == (at(until) if until else None)


@pytest.mark.parametrize(
    "written", ["", " ", "weekend", "sat 25:00-26:00", "10-12", "sat-", "22:00", "fri 18:00-24:01"]
)
def test_what_is_no_time_of_the_week_is_a_mistake(written: str) -> None:
    with pytest.raises(ValueError, match="should be like"):
        read_freeze_time(written)


@pytest.mark.parametrize(
    ("written", "endless"),
    [
        (["mon-sun"], True),
        (["tue-mon 12:00-24:00", "00:00-12:00"], True),
        (["20:00-12:00", "mon-sun 11:00-20:00"], True),
        (["mon-sat", "sun 00:00-23:59"], False),
        (WEEKEND, False),
        ([], False),
    ],
)
def test_a_freeze_without_any_gap_is_endless(written: list[str], *, endless: bool) -> None:
    assert is_endless([read_freeze_time(span) for span in written]) is endless
