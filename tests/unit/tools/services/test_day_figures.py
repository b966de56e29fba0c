"""What a picture of the last day shows."""

from datetime import UTC, datetime, timedelta

from lycatra_appservice.tools.services._day_figures import day_figures
from lycatra_appservice.tools.services._history import History, Look, after

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def looked_at(minutes: int, *, down: range = range(0), unseen: range = range(0)) -> History:
    history = None
    for minute in range(minutes):
        if minute not in unseen:
            at = int((START + timedelta(minutes=minute)).timestamp())
            seen = Look(at=at, ok=minute not in down, detail="", took_ms=100 + minute)
            history = after(history, seen)
    assert history is not None
    return history


def test_the_slowest_answer_of_each_five_minutes_is_a_point_and_being_down_a_stretch() -> None:
    history = looked_at(60, down=range(20, 32))
    figures = day_figures(history, START + timedelta(minutes=59))
    minutes = [(when - START) // timedelta(minutes=1) for when, _ in figures.slowest_s]
    assert minutes == list(range(0, 60, 5))
    values = [value for _, value in figures.slowest_s]
    assert values[:4] == [0.104, 0.109, 0.114, 0.119]
    assert values[4:6] == [None, None]  # it did not answer
    assert values[6:] == [0.134, 0.139, 0.144, 0.149, 0.154, 0.159]
    assert figures.down == [
        (START + timedelta(minutes=20), START + timedelta(minutes=35)),
    ]
    assert figures.are_enough


def test_time_that_nobody_looked_at_is_a_gap_and_not_down() -> None:
    history = looked_at(60, unseen=range(20, 50))
    figures = day_figures(history, START + timedelta(minutes=59))
    assert [value is None for _, value in figures.slowest_s] == [
        *[False] * 4,
        *[True] * 6,
        *[False] * 2,
    ]
    assert figures.down == []


def test_it_is_the_last_day_alone() -> None:
    history = looked_at(30 * 60, down=range(60, 70))
    figures = day_figures(history, START + timedelta(hours=30))
    assert len(figures.slowest_s) == 24 * 12
    assert figures.down == []


def test_a_few_looks_are_nothing_to_draw() -> None:
    assert not day_figures(looked_at(20), START + timedelta(minutes=20)).are_enough
    old = looked_at(20)
    assert day_figures(old, START + timedelta(days=3)).slowest_s == ()
