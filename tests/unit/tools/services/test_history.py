"""What is remembered of a service: how much of the day it was up, and what fits into its place."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from lycatra_appservice.toolkit.memory import MAX_VALUE_BYTES
from lycatra_appservice.tools.services._history import (
    KEPT_SLOTS,
    MOST_CHANGES,
    SLOT_S,
    History,
    Look,
    account,
    after,
)
from lycatra_appservice.tools.services._history_words import how_long

START = int(datetime(2026, 11, 22, 0, 0, tzinfo=UTC).timestamp())
STORED = TypeAdapter(History)


def look(at: int, ok: bool = True, **more: Any) -> Look:
    return Look(at=START + at, ok=ok, **{"detail": "HTTP 200", "took_ms": 12, **more})


def after_all(*looks: Look) -> History:
    history = None
    for each in looks:
        history = after(history, each)
    assert history is not None
    return history


def test_time_between_two_looks_is_what_the_first_of_them_saw() -> None:
    history = after_all(look(0), look(60, ok=False), look(180), look(200))
    found = account(history, START)
    assert (found.up_s, found.down_s) == (80, 120)
    assert found.up_percent == 40


def test_time_that_nobody_looked_at_counts_neither_way() -> None:
    history = after_all(look(0), look(60), look(4 * 3600, ok=False), look(4 * 3600 + 60))
    found = account(history, START)
    assert (found.up_s, found.down_s) == (60, 60)


def test_a_service_that_was_down_for_a_moment_was_not_up_all_the_time() -> None:
    looks = [look(60 * each, ok=each != 700) for each in range(1440)]
    history = after_all(*looks)
    percent = account(history, START).up_percent
    assert percent is not None
    assert 99.9 < percent < 100


def test_nothing_is_said_of_a_single_look() -> None:
    assert account(after_all(look(0)), START).up_percent is None


def test_changes_keep_when_and_with_what_they_began() -> None:
    history = after_all(
        look(0),
        look(60, ok=False, detail="HTTP 503"),
        look(120, ok=False, detail="connection refused"),
        look(180),
    )
    assert [(each.at - START, each.ok, each.detail) for each in history.changes] == [
        (0, True, "HTTP 200"),
        (60, False, "HTTP 503"),
        (180, True, "HTTP 200"),
    ]


def test_a_gap_is_remembered_until_the_next_change() -> None:
    history = after_all(look(0), look(60))
    assert not history.has_gap
    history = after(history, look(3600))
    history = after(history, look(3660))
    assert history.has_gap
    assert not after(history, look(3720, ok=False)).has_gap


def test_a_look_that_comes_late_changes_nothing() -> None:
    history = after_all(look(0), look(60))
    assert after(history, look(30, ok=False)) == history


def test_two_replicas_that_look_at_once_count_the_time_once() -> None:
    twice = [look(60 * (each // 2)) for each in range(20)]
    assert account(after_all(*twice), START).up_s == 9 * 60


def test_restarts_are_counted_by_the_engine_and_else_by_a_later_start() -> None:
    first, second = (datetime.fromtimestamp(START + each, UTC) for each in (-500, 30))
    history = after_all(
        look(0, restarts=1, running_since=first),
        look(60, restarts=1, running_since=second),  # somebody restarted it
        look(120, restarts=4, running_since=second + timedelta(seconds=80)),
        look(180),  # could not be seen
        look(240, restarts=0, running_since=second + timedelta(seconds=190)),  # a new one
        look(300, restarts=0, running_since=second + timedelta(seconds=190)),
    )
    assert account(history, START).restarts == 1 + 3 + 1


def test_restarts_of_a_time_that_nobody_knows_are_not_of_the_last_day() -> None:
    history = after_all(look(0, restarts=1), look(3 * 86_400, restarts=9))
    assert account(history, START).restarts == 0


def test_what_is_too_old_is_dropped() -> None:
    history = after_all(*(look(SLOT_S * each) for each in range(KEPT_SLOTS + 100)))
    assert len(history.slots) == KEPT_SLOTS
    assert history.changes[0].at == START  # since when it is so


def test_the_worst_that_can_be_remembered_fits_into_one_value() -> None:
    detail = "Ärger 🦀🦀🦀 (wörtlich) " * 20
    history = None
    for each in range(KEPT_SLOTS * 3 + 60):
        seen = look(
            100 * each,
            ok=each % 2 == 0,
            detail=detail,
            took_ms=10**9,
            restarts=each * 10**6,
            running_since=datetime.fromtimestamp(START + 100 * each, UTC),
        )
        history = after(history, seen)
    assert history is not None
    assert len(history.changes) == MOST_CHANGES
    assert len(history.slots) == KEPT_SLOTS
    text = json.dumps(STORED.dump_python(history, mode="json"), separators=(",", ":"))
    assert len(text) < 0.95 * MAX_VALUE_BYTES


@given(st.lists(st.tuples(st.integers(0, 900), st.booleans(), st.text(max_size=200)), max_size=40))
def test_whatever_is_seen_no_time_is_counted_twice_and_all_of_it_can_be_kept(
    seen: list[tuple[int, bool, str]],
) -> None:
    history, at = None, 0
    for pause, ok, detail in seen:
        at += pause
        history = after(history, look(at, ok, detail=detail))
        kept = json.loads(json.dumps(STORED.dump_python(history, mode="json")))
        assert STORED.validate_python(kept) == history
        assert all(slot.up_s + slot.down_s <= SLOT_S for slot in history.slots)
        found = account(history, START)
        assert found.up_s + found.down_s <= at


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86_400, "1 d"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_time_is_said_in_two_units_at_most(seconds: int, words: str) -> None:
    assert how_long(seconds) == words
