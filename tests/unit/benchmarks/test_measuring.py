"""Figures must not lie: not by a lucky round, not by rounding, not by work that was not done."""

import math
from collections.abc import Awaitable, Callable, Sequence

import pytest

from benchmarks.measuring import (
    Figure,
    Goal,
    WrongWorkError,
    at_least,
    at_most,
    exactly,
    in_time,
    interleave,
    percentile,
    ratios,
    require,
)


def figure(*rounds: float, goal: Goal | None = None) -> Figure:
    return Figure(name="speed", unit="ratio", rounds=rounds, goal=goal)


def test_one_lucky_and_one_disturbed_round_do_not_move_a_figure() -> None:
    assert figure(0.7, 99.0, 0.8, 0.001, 0.75).value == 0.75


def test_the_spread_hides_no_round() -> None:
    assert figure(0.7, 99.0, 0.8, 0.001, 0.75).spread == (0.001, 99.0)


@pytest.mark.parametrize("rounds", [(), (math.nan,), (1.0, math.inf)])
def test_without_numbers_there_is_no_figure(rounds: Sequence[float]) -> None:
    with pytest.raises(WrongWorkError, match="speed"):
        figure(*rounds)


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [
        (at_least(0.8), 0.8, "ok"),
        (at_least(0.8), 0.79999, "short"),
        (at_most(15), 15.0, "ok"),
        (at_most(15), 15.001, "short"),
        (exactly(1), 1.002, "ok"),
        (exactly(1), 1.01, "short"),
        (exactly(1), 0.99, "short"),
        (None, 5.0, "-"),
    ],
)
def test_a_goal_is_judged_by_the_value_not_by_its_print(
    goal: Goal | None, value: float, verdict: str
) -> None:
    assert figure(value, goal=goal).verdict == verdict


def test_a_line_has_name_value_unit_goal_and_verdict_and_then_the_spread() -> None:
    line = figure(0.9, 0.85, 0.7, goal=at_least(0.8)).line()

    assert line.split()[:5] == ["speed", "0.850", "ratio", ">=0.8", "ok"]
    assert line.endswith("(0.700..0.900 in 3 rounds)")


def test_a_line_without_a_goal_has_as_many_words() -> None:
    assert figure(1234.5).line().split()[:5] == ["speed", "1234", "ratio", "-", "-"]


def test_ratios_are_of_the_same_round() -> None:
    # The second round was disturbed for both; by medians alone the ratio would be another.
    assert ratios([8.0, 1.0, 6.0], [10.0, 2.0, 10.0]) == [0.8, 0.5, 0.6]


@pytest.mark.parametrize(
    ("ours", "baseline"), [([1.0, 2.0], [1.0]), ([1.0], [0.0]), ([1.0], [-1.0])]
)
def test_there_is_no_ratio_to_a_baseline_that_did_nothing(
    ours: Sequence[float], baseline: Sequence[float]
) -> None:
    with pytest.raises(WrongWorkError):
        ratios(ours, baseline)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_a_percentile_is_one_of_the_samples(share: float, expected: float) -> None:
    shuffled = [float(n * 37 % 100 + 1) for n in range(100)]

    assert percentile(shuffled, share) == expected


def test_one_sample_is_every_percentile() -> None:
    assert percentile([3.0], 0.5) == percentile([3.0], 0.99) == 3.0


def test_no_samples_have_no_percentile() -> None:
    with pytest.raises(WrongWorkError):
        percentile([], 0.5)


async def test_contenders_take_turns_and_nobody_is_always_first() -> None:
    order: list[str] = []

    def contender(name: str) -> Callable[[], Awaitable[float]]:
        async def run() -> float:
            order.append(name)
            return float(len(order))

        return run

    measured = await interleave(3, {name: contender(name) for name in "abc"})

    assert "".join(order) == "abc" + "bca" + "cab"
    assert measured == {"a": [1.0, 6.0, 8.0], "b": [2.0, 4.0, 9.0], "c": [3.0, 5.0, 7.0]}


def test_a_busy_machine_gets_fewer_rounds_but_never_less_than_three() -> None:
    assert list(in_time(40, seconds=0)) == [0, 1, 2]
    assert list(in_time(5, seconds=3600)) == [0, 1, 2, 3, 4]


def test_work_that_was_not_done_raises_even_where_asserts_are_off() -> None:
    require(True, "unused")
    with pytest.raises(WrongWorkError, match="3 of 4 turns ran"):
        require(False, "3 of 4 turns ran")
