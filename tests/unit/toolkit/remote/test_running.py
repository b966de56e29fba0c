"""Of which call a question is."""

import asyncio
from datetime import timedelta

import pytest

from lycatra_appservice.toolkit.remote.running import RunningCall, RunningCalls
from tests.support.remote_peer import ASKER, OTHER

MINUTE = timedelta(minutes=1)


def call_of(caller: object, deadline: asyncio.Timeout) -> RunningCall:
    asker = ASKER if caller == "asker" else OTHER
    return RunningCall("order", asker, 5.0, deadline, MINUTE)


async def test_a_question_of_a_call_that_was_given_up_is_not_taken_for_that_of_another() -> None:
    running = RunningCalls()
    async with asyncio.timeout(5) as deadline:
        with running.entered(call_of("other", deadline)):
            asked_late = asyncio.Event()

            async def asks_late() -> RunningCall | None:
                await asked_late.wait()
                return running.asking()

            late = asyncio.create_task(asks_late())  # with this call's context
        with running.entered(call_of("asker", deadline)):
            asked_late.set()
            assert await late is None


async def test_without_a_word_whose_it_is_it_is_that_of_the_only_call() -> None:
    running = RunningCalls()
    entered, asked = asyncio.Event(), asyncio.Event()

    async def runs() -> None:
        async with asyncio.timeout(5) as deadline:
            with running.entered(call_of("asker", deadline)):
                entered.set()
                await asked.wait()

    task = asyncio.create_task(runs())
    await entered.wait()
    found = running.asking()
    asked.set()
    await task
    assert found is not None
    assert found.caller == ASKER


async def test_after_a_call_was_given_up_nobody_is_guessed() -> None:
    running = RunningCalls()

    async def given_up() -> None:
        async with asyncio.timeout(0) as deadline:
            with running.entered(call_of("other", deadline)):
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await given_up()
    entered, asked = asyncio.Event(), asyncio.Event()

    async def runs() -> None:
        async with asyncio.timeout(5) as deadline:
            with running.entered(call_of("asker", deadline)):
                entered.set()
                await asked.wait()

    task = asyncio.create_task(runs())
    await entered.wait()
    found = running.asking()
    asked.set()
    await task
    assert found is None


async def test_the_time_goes_on_when_the_last_of_several_questions_is_answered() -> None:
    async with asyncio.timeout(5) as deadline:
        call = call_of("asker", deadline)
        with call.paused():
            with call.paused():
                await asyncio.sleep(0)
            assert deadline.when() is None
        assert deadline.when() is not None
        assert call.patience < MINUTE
