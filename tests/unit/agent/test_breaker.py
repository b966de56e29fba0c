"""A model that fails is left alone for all turns of the process, and tried again by one."""

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest

from lycatra_appservice.agent.backend import (
    ModelBusyError,
    ModelRefusedError,
    ModelRestingError,
    ModelSilentError,
    ModelUnreachableError,
)
from lycatra_appservice.agent.breaker import FAILURES, FIRST_PAUSE, Breaker, GuardedBackend
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.messages import UserMessage
from lycatra_appservice.words.catalogue import in_english
from tests.support.model_server import ModelServer, is_silent, refuses, says

AWAY = refuses(500, {"message": "oops"})


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, span: timedelta) -> None:
        self.now += span.total_seconds()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("home", clock)


@pytest.fixture
def guarded(backend: ChatCompletionsBackend, breaker: Breaker) -> GuardedBackend:
    return GuardedBackend(backend, breaker)


async def ask(backend: GuardedBackend) -> str:
    async with (
        asyncio.timeout(10),
        aclosing(backend.stream([UserMessage(text="hi")], (), tool_choice="auto")) as deltas,
    ):
        return "".join([each.text async for each in deltas])


async def fail(backend: GuardedBackend, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ModelUnreachableError):
            await ask(backend)


async def open_it(server: ModelServer, guarded: GuardedBackend) -> None:
    server.will(*[AWAY] * FAILURES)
    await fail(guarded, FAILURES)


async def test_after_failures_in_a_row_the_server_is_not_asked(
    server: ModelServer, guarded: GuardedBackend
) -> None:
    await open_it(server, guarded)
    with pytest.raises(ModelRestingError) as raised:
        await ask(guarded)
    assert len(server.asked) == FAILURES
    assert "not answering right now" in raised.value.user_message


async def test_an_answer_in_between_begins_the_count_anew(
    server: ModelServer, guarded: GuardedBackend
) -> None:
    server.will(*[AWAY] * (FAILURES - 1), says("hi"), *[AWAY] * (FAILURES - 1), says("ho"))
    await fail(guarded, FAILURES - 1)
    assert await ask(guarded) == "hi"
    await fail(guarded, FAILURES - 1)
    assert await ask(guarded) == "ho"


async def test_after_its_pause_one_request_tries_and_brings_it_back(
    server: ModelServer, guarded: GuardedBackend, clock: Clock, breaker: Breaker
) -> None:
    await open_it(server, guarded)
    clock.pass_by(FIRST_PAUSE)
    server.will(says("hi"), says("ho"))
    assert await ask(guarded) == "hi"
    assert not breaker.is_open
    assert await ask(guarded) == "ho"


async def test_while_one_request_tries_the_others_do_not_wait_for_it(
    server: ModelServer, guarded: GuardedBackend, clock: Clock
) -> None:
    await open_it(server, guarded)
    clock.pass_by(FIRST_PAUSE)
    server.will(is_silent(server))
    trying = asyncio.create_task(ask(guarded))
    async with asyncio.timeout(10):
        await server.hanging.wait()
        with pytest.raises(ModelRestingError):
            await ask(guarded)
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying
    server.will(says("hi"))  # whoever gave up left the try to the next one
    assert await ask(guarded) == "hi"


async def test_a_try_that_fails_doubles_the_pause(
    server: ModelServer, guarded: GuardedBackend, clock: Clock, breaker: Breaker
) -> None:
    await open_it(server, guarded)
    for factor in (2, 4, 8, 16, 20, 20):
        clock.pass_by(breaker.rest)
        server.will(AWAY)
        await fail(guarded, 1)
        assert breaker.rest == factor * FIRST_PAUSE


async def test_a_refusal_is_no_failure_of_the_server(
    server: ModelServer, guarded: GuardedBackend
) -> None:
    server.will(*[refuses(401, {"message": "wrong key"})] * (2 * FAILURES))
    for _ in range(2 * FAILURES):
        with pytest.raises(ModelRefusedError):
            await ask(guarded)


def test_two_silent_answers_are_enough(breaker: Breaker) -> None:
    for _ in range(2):
        assert not breaker.is_open
        breaker.failed(ModelSilentError("no word"), tried=False)
    assert breaker.is_open


async def test_a_server_that_wants_to_be_left_alone_is_and_people_read_for_how_long(
    server: ModelServer, guarded: GuardedBackend, clock: Clock
) -> None:
    server.will(refuses(429, {"message": "slow down"}, headers={"Retry-After": "120"}))
    with pytest.raises(ModelBusyError):
        await ask(guarded)
    clock.pass_by(timedelta(seconds=60))
    with pytest.raises(ModelRestingError) as raised:
        await ask(guarded)
    assert "again in a minute" in in_english(raised.value.said)
    clock.pass_by(timedelta(seconds=60))
    server.will(says("hi"))
    assert await ask(guarded) == "hi"


async def test_a_short_wait_opens_nothing(
    server: ModelServer, guarded: GuardedBackend, breaker: Breaker
) -> None:
    server.will(refuses(429, {"message": "slow down"}, headers={"Retry-After": "2"}))
    with pytest.raises(ModelBusyError):
        await ask(guarded)
    assert not breaker.is_open
