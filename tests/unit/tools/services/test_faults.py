"""When a service that goes down and comes up again is worth telling: pure, look by look."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from lycatra_appservice.tools.services._faults import (
    Damping,
    Event,
    Fault,
    Kind,
    Seen,
    Standing,
    after,
)

START = 1_795_000_000
STORED = TypeAdapter(Fault)


def story(looks: str, *, every: int = 60, bad_looks: int = 2) -> list[tuple[int, Event]]:
    """What is told at which look: `.` is a good one, `x` a bad one, `_` is none."""
    fault: Fault | None = None
    events: list[tuple[int, Event]] = []
    for number, each in enumerate(looks):
        if each == "_":
            continue
        before = fault.event if fault else None
        seen = Seen(at=START + every * number, ok=each == ".", detail=f"seen {number}")
        fault = after(fault, seen, Damping(bad_looks=bad_looks))
        if fault.event is not None and fault.event != before:
            events.append((number, fault.event))
        fault = STORED.validate_python(json.loads(STORED.dump_json(fault)))  # as it is kept
    return events


def kinds(looks: str, *, every: int = 60, bad_looks: int = 2) -> list[tuple[int, str]]:
    told = story(looks, every=every, bad_looks=bad_looks)
    return [(at, str(event.kind)) for at, event in told]


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ("......", []),
        ("..x...", []),  # one bad look is not yet a fault
        ("..xx", [(3, "fault")]),
        ("..xxxxxxxxxxxxxxx", [(3, "fault")]),  # one for each fault
        ("xx", [(1, "fault")]),  # down from the first look on
        ("..xx.x..", [(3, "fault"), (7, "recovered")]),  # one good look is not yet its end
        ("..xx......", [(3, "fault"), (5, "recovered")]),
        (".x.......x.......x......", []),
    ],
)
def test_a_fault_is_told_once_and_its_end_once(looks: str, told: list[tuple[int, str]]) -> None:
    assert kinds(looks) == told


def test_how_many_bad_looks_make_a_fault_is_configured() -> None:
    assert kinds("xxxx", bad_looks=1) == [(0, "fault")]
    assert kinds("xxxxx", bad_looks=4) == [(3, "fault")]


def test_a_recovery_says_how_long_and_which_fault_it_ends() -> None:
    [(_, fault), (_, end)] = story("..xxxxx...")
    assert (fault.since, fault.detail) == (START + 120, "seen 3")
    assert (end.since, end.until) == (START + 120, START + 7 * 60)
    assert end.ends == fault.name
    assert end.name != fault.name


def test_what_goes_down_again_soon_is_flapping_and_then_left_alone() -> None:
    told = kinds("..xx..xx..xx..xx.." + "." * 16)
    assert told == [(3, "fault"), (5, "recovered"), (7, "flapping"), (31, "recovered")]


def test_what_goes_down_again_much_later_is_another_fault() -> None:
    told = kinds("xx.." + "." * 30 + "xx..")
    assert [kind for _, kind in told] == ["fault", "recovered", "fault", "recovered"]


def test_what_is_never_down_long_enough_for_a_fault_may_flap_all_the_same() -> None:
    assert kinds(".x.x.x.x.x.x.x") == [(7, "flapping")]


def test_what_flapped_and_stays_down_is_told_as_a_fault() -> None:
    told = story("xx..xx..xx" + "x" * 20)
    assert [each.kind for _, each in told] == [
        Kind.FAULT,
        Kind.RECOVERED,
        Kind.FLAPPING,
        Kind.FAULT,
    ]
    assert told[3][1].ends == told[2][1].name


def test_looks_of_two_replicas_at_once_are_one_look() -> None:
    """Six bad looks within ten seconds, three times, are three looks."""
    fault, told = None, set()
    for minute in range(3):
        for second in range(0, 10, 2):
            seen = Seen(at=START + 60 * minute + second, ok=False, detail="x")
            fault = after(fault, seen, Damping(bad_looks=3))
            if fault.event is not None:
                told.add(fault.event.name)
    assert fault is not None
    assert fault.in_a_row == 3
    assert len(told) == 1


def test_looks_with_a_long_pause_between_them_are_not_in_a_row() -> None:
    assert kinds("x" + "_" * 20 + "x") == []
    assert kinds("x" + "_" * 20 + "xx") == [(22, "fault")]


def test_a_fault_that_ended_while_nobody_looked_is_told_to_have_ended() -> None:
    assert kinds("xx" + "_" * 600 + "..") == [(1, "fault"), (603, "recovered")]


def test_a_clock_that_goes_back_changes_nothing() -> None:
    fault = after(None, Seen(at=START, ok=True, detail=""), Damping())
    assert after(fault, Seen(at=START - 500, ok=False, detail=""), Damping()) == fault


@given(st.text(alphabet=".x_", max_size=200), st.integers(1, 4))
def test_whatever_is_seen_events_alternate_and_their_names_differ(
    looks: str, bad_looks: int
) -> None:
    told = [event for _, event in story(looks, bad_looks=bad_looks)]
    assert len({each.name for each in told}) == len(told)
    stands: Standing = Standing.WELL
    for each in told:
        match each.kind:
            case Kind.RECOVERED:
                assert stands is not Standing.WELL
                stands = Standing.WELL
            case Kind.FLAPPING:
                assert stands is Standing.WELL
                stands = Standing.FLAPPING
            case Kind.FAULT:
                assert stands is not Standing.FAULT
                stands = Standing.FAULT
        assert each.since <= each.at
        assert each.kind is not Kind.RECOVERED or each.ends
