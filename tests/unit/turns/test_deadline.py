"""A time limit that stands still while nobody can help it."""

import asyncio
from datetime import timedelta

import pytest

from lycatra_appservice.chat.waiting import unhurried
from lycatra_appservice.model import LaneKind
from lycatra_appservice.turns.deadline import Deadline
from lycatra_appservice.turns.runner import DEADLINES, deadlines_beyond
from tests.support.model_slots import RecordingHearer

MOMENT = timedelta(milliseconds=30)


async def longer_than(span: timedelta) -> None:
    """Let the loop's clock pass it."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(2 * span.total_seconds(), passed.set)
    await passed.wait()


@pytest.mark.parametrize("minutes", [1, 5, 30])
def test_a_question_is_ended_by_the_agent_with_a_sentence_and_not_by_its_lane(
    minutes: int,
) -> None:
    patience = timedelta(minutes=minutes)

    deadlines = deadlines_beyond(patience)

    assert deadlines[LaneKind.ASK] > patience
    assert deadlines[LaneKind.ASK] >= DEADLINES[LaneKind.ASK]
    assert {**deadlines, LaneKind.ASK: None} == {**DEADLINES, LaneKind.ASK: None}


async def test_it_ends_what_takes_too_long() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(20), Deadline(MOMENT):
            await asyncio.Event().wait()


async def test_while_it_stands_still_no_time_passes() -> None:
    async with Deadline(MOMENT) as deadline:
        deadline.pause()
        deadline.pause()
        await longer_than(MOMENT)


async def test_then_it_goes_on_with_what_was_left() -> None:
    async def resumed() -> None:
        async with asyncio.timeout(20), Deadline(MOMENT) as deadline:
            deadline.pause()
            await longer_than(MOMENT)
            deadline.resume()
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await resumed()


async def test_when_it_is_over_nothing_can_be_changed_and_nobody_is_bothered() -> None:
    deadline = Deadline(MOMENT)

    async def meddling() -> None:
        async with deadline:
            try:
                await asyncio.Event().wait()
            finally:
                deadline.pause()
                deadline.resume()

    deadline.pause()
    with pytest.raises(TimeoutError):
        await meddling()
    deadline.pause()
    deadline.resume()


async def test_waiting_for_the_model_stops_every_clock_until_it_is_asked() -> None:
    heard = RecordingHearer()

    async def asking() -> None:
        async with asyncio.timeout(20), Deadline(MOMENT) as one, Deadline(MOMENT) as two:
            with unhurried(heard, one, two) as hearer:
                hearer.waits(3)
                await longer_than(MOMENT)
                hearer.waits(2)
                hearer.asks()
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asking()
    assert (heard.ahead, heard.asked) == ([3, 2], 1)


async def test_a_wait_that_ends_badly_lets_the_clocks_go_on() -> None:
    async def refused() -> None:
        async with asyncio.timeout(20), Deadline(MOMENT) as deadline:
            with unhurried(RecordingHearer(), deadline) as hearer:
                hearer.waits(1)
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await refused()
