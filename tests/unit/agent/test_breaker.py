"""A model that fails is left alone for all turns of the process, and tried again by one."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta

import pytest

from lycatra_appservice.agent.asking import Behalf, Prompt, Window
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
from lycatra_appservice.agent.models import Models, ModelWish
from lycatra_appservice.model import UserID
from lycatra_appservice.words.catalogue import in_english
from tests.support.model_server import ModelServer, is_silent, model_server, refuses, says

AWAY = refuses(500, {"message": "oops"})


class Nobody:
    """Hears nothing."""

    def waits(self, ahead: int) -> None: ...

    def asks(self) -> None: ...

    def wrote(self, text: str) -> None: ...

    def calls(self, tools: Sequence[str]) -> None: ...


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


async def stop_and_fail(server: ModelServer, guarded: GuardedBackend) -> None:
    await server.stop()
    await fail(guarded, FAILURES)


async def test_a_server_that_was_gone_and_is_back_is_asked_by_the_next_question(
    server: ModelServer, guarded: GuardedBackend, breaker: Breaker
) -> None:
    await stop_and_fail(server, guarded)
    with pytest.raises(ModelRestingError):
        await ask(guarded)
    async with model_server(port=server.port) as again:
        again.will(says("hi"))
        assert breaker.rest
        assert await ask(guarded) == "hi"
        assert not breaker.is_open


async def test_a_server_that_is_there_and_fails_is_left_alone_all_the_same(
    server: ModelServer, guarded: GuardedBackend, clock: Clock, breaker: Breaker
) -> None:
    await open_it(server, guarded)
    for _ in range(3):
        with pytest.raises(ModelRestingError):
            await ask(guarded)
    assert len(server.asked) == FAILURES


async def test_a_server_that_comes_up_and_fails_at_once_is_not_tried_by_every_question(
    server: ModelServer, guarded: GuardedBackend
) -> None:
    await stop_and_fail(server, guarded)
    async with model_server(port=server.port) as again:
        again.will(AWAY)
        await fail(guarded, 1)
        for _ in range(3):
            with pytest.raises(ModelRestingError):
                await ask(guarded)
        assert len(again.asked) == 1


async def test_of_many_who_wait_one_tries_the_server_that_is_back(
    server: ModelServer, guarded: GuardedBackend
) -> None:
    await stop_and_fail(server, guarded)
    async with model_server(port=server.port) as again:
        again.will(*[says("hi")] * 10)
        ended = await asyncio.gather(*(ask(guarded) for _ in range(10)), return_exceptions=True)
        assert ended.count("hi") == 1
        assert len(again.asked) == again.looks == 1
        assert await ask(guarded) == "hi"
        again.forget()


async def test_questions_at_once_make_no_storm_of_further_attempts(
    server: ModelServer, guarded: GuardedBackend
) -> None:
    server.will(*[AWAY] * 10)
    all_failed_once = asyncio.Barrier(10)

    async def no_delay(seconds: float) -> None:
        await all_failed_once.wait()

    behalf = Behalf(person=UserID("@person:hs.test"), hearer=Nobody(), delay=no_delay)
    models = Models.only(guarded, Window(context_tokens=8192))
    prompt = Prompt(messages=[UserMessage(text="hi")], tools=())
    asking = [models.asker(ModelWish(), behalf).ask(lambda _: prompt) for _ in range(10)]
    async with asyncio.timeout(10):
        ended = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(each) for each in ended} == {ModelRestingError}
    assert len(server.asked) == 10


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
