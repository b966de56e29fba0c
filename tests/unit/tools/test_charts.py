"""Pictures of figures, and the words for whoever cannot see them."""

import asyncio
import struct
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lycatra_appservice.toolkit.base import Extra
from lycatra_appservice.tools import _charts
from lycatra_appservice.tools._charts import MOST_LINES, Chart, Line, in_words, picture

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STEP = timedelta(minutes=5)


def points(*values: float | None) -> list[tuple[datetime, float | None]]:
    return [(BEGIN + number * STEP, value) for number, value in enumerate(values)]


def chart(*lines: Sequence[float | None], unit: str = "s", title: str = "Answers") -> Chart:
    named = [Line(name=f"web{n}", points=points(*each)) for n, each in enumerate(lines, 1)]
    return Chart(title=title, unit=unit, zone=BERLIN, lines=named)


def size_of(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return width, height


async def test_a_picture_is_a_png_that_a_phone_shows_sharply_and_quickly() -> None:
    drawn = await picture(chart([0.1, 0.2, None, 0.4], [0.3, 0.3, 0.3, 0.1]), "answers.png")

    assert drawn is not None
    assert drawn.data.startswith(b"\x89PNG")
    width, height = size_of(drawn.data)
    assert width == 972
    assert 550 < height < 750
    assert len(drawn.data) < 200_000
    assert drawn.description == (
        "Chart of Answers, from 2026-11-21 13:00 to 2026-11-21 13:15 (Europe/Berlin): "
        "web1: last 400 ms, lowest 100 ms, highest 400 ms; "
        "web2: last 100 ms, lowest 100 ms, highest 300 ms."
    )


@pytest.mark.parametrize(
    "odd",
    [
        chart([1.0]),
        chart([0.0, 0.0, 0.0]),
        chart([5.0, 5.0, 5.0]),
        chart([float("nan"), 1.0, float("inf"), 2.0]),
        chart([-3.0, None, 3.0], unit="$^2$ _{"),
        chart([1e-12, 2e-12], unit=""),
        chart([1e30, -1e30], unit="B"),
        chart([1.0, 2.0], [None, None], title="$\\frac{1}{0} & <b> 目 🚀 " * 5),
        chart(*[[float(n), n + 1.0] for n in range(20)]),
    ],
)
async def test_odd_figures_and_words_are_drawn_all_the_same(odd: Chart) -> None:
    drawn = await picture(odd, "odd.png")

    assert drawn is not None
    width, height = size_of(drawn.data)
    assert width == 972
    assert 550 < height < 750


@pytest.mark.parametrize("empty", [chart(), chart([]), chart([None, float("nan")])])
async def test_there_is_no_picture_of_nothing(empty: Chart) -> None:
    assert await picture(empty, "empty.png") is None


async def test_without_the_extra_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_charts, "CHARTS", Extra(name="charts", module="there_is_no_such_thing"))

    assert await picture(chart([1.0, 2.0]), "answers.png") is None


async def test_drawing_keeps_nobody_waiting_and_several_are_drawn_at_once() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    try:
        drawn = await asyncio.gather(
            *(picture(chart([float(n), 2.0, 3.0]), f"{n}.png") for n in range(4))
        )
    finally:
        beside.cancel()

    assert len({each.data for each in drawn if each is not None}) == 4
    assert turns > 10


async def test_a_point_between_two_gaps_is_seen_and_a_gap_is_no_line() -> None:
    drawn = [
        await picture(chart(values), "gaps.png")
        for values in (
            [5.0, 1.0, None, 3.0, None, 1.0, 5.0],
            [5.0, 1.0, None, None, None, 1.0, 5.0],
        )
    ]
    joined = await picture(chart([5.0, 1.0, 1.0, 1.0, 1.0, 1.0, 5.0]), "gaps.png")

    assert len({each.data for each in (*drawn, joined) if each is not None}) == 3


async def test_times_are_those_of_the_zone_and_faults_are_drawn() -> None:
    plain = chart([1.0, 2.0, 3.0])
    elsewhere = replace(plain, zone=ZoneInfo("America/New_York"))
    faulty = replace(plain, faults=[(BEGIN, BEGIN + STEP)])

    drawn = [await picture(each, "x.png") for each in (plain, elsewhere, faulty)]

    assert len({each.data for each in drawn if each is not None}) == 3


async def test_nothing_of_the_global_state_of_the_library_is_used() -> None:
    await picture(chart([1.0, 2.0]), "answers.png")

    assert "matplotlib.pyplot" not in sys.modules


def test_a_line_without_values_and_faults_are_told_in_words() -> None:
    faults = [(BEGIN, BEGIN + STEP)]
    told = Chart(
        title="Answers",
        unit="s",
        zone=BERLIN,
        lines=[Line(name="", points=points(1.0, None)), Line(name="b", points=points(None))],
        faults=faults,
    )

    assert in_words(told) == (
        "Chart of Answers, from 2026-11-21 13:00 to 2026-11-21 13:05 (Europe/Berlin): "
        "last 1 s, lowest 1 s, highest 1 s; b: no values. Faults that are marked: 1."
    )
    assert in_words(chart()) == "Answers: no values."


def test_words_are_of_the_lines_that_are_drawn_and_tell_of_the_others() -> None:
    many = chart(*[[float(n)] for n in range(MOST_LINES + 2)])

    assert "web8:" in in_words(many)
    assert "web9:" not in in_words(many)
    assert "2 more lines are not in it." in in_words(many)
