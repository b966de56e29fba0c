"""Windows that are smaller than configured: seen by counts, or told in an error."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from lycatra_appservice.agent.asking import Window
from lycatra_appservice.agent.backend import Backend, ContextOverflowError
from lycatra_appservice.agent.loop import Agent, AgentAnswer, Models
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    SmallerWindow,
    Usage,
    UserMessage,
)
from lycatra_appservice.agent.models import OfferedModel
from lycatra_appservice.agent.silent_cut import Counted, CutWatch
from lycatra_appservice.model import JSON
from tests.support.model_server import Asked, ModelServer, calls, refuses, says
from tests.unit.agent.conftest import OpenBackend
from tests.unit.agent.support import ASKER, Journal, ManyTools, Toolbox, question

CONFIGURED = 16_384
SEEN = SmallerWindow(key="models.home", configured=CONFIGURED, real=4096)
OVERFLOWS = {
    "OpenAI": {"code": "context_length_exceeded", "message": "x"},
    "OpenAI, in words": {
        "code": "context_length_exceeded",
        "message": "This model's maximum context length is 4096 tokens. However, your messages "
        "resulted in 10240 tokens.",
    },
    "llama.cpp": {
        "code": 400,
        "type": "exceed_context_size_error",
        "message": "the request exceeds the available context size, try increasing it",
        "n_prompt_tokens": 10_240,
        "n_ctx": 4096,
    },
    "LiteLLM": {"code": "400", "message": "litellm.ContextWindowExceededError: too long"},
}
TELLS = ("OpenAI, in words", "llama.cpp")


def line_of(backend: Backend, watch: CutWatch | None = None) -> Models:
    model = OfferedModel(
        name="home",
        backend=backend,
        window=Window(context_tokens=CONFIGURED),
        watch=watch or CutWatch("models.home"),
    )
    return Models([model])


@pytest.fixture
def agent(backend_with: OpenBackend) -> Agent:
    return Agent(line_of(backend_with()))


def long_talk(turns: int = 20, chars: int = 1000) -> list[Message]:
    talk: list[Message] = []
    for number in range(turns):
        talk.append(UserMessage(text=f"question {number} " + "x" * chars, name=ASKER))
        talk.append(AssistantMessage(text=f"answer {number} " + "x" * chars))
    return talk


async def ask(
    agent: Agent, history: Sequence[Message], journal: Journal | None = None, **tools: Any
) -> AgentAnswer:
    async with asyncio.timeout(10):
        return await agent.answer(question(history=history), Toolbox(tools), journal or Journal())


def tokens(asked: Asked) -> float:
    return len(json.dumps([asked.messages, asked.body.get("tools")])) / 3.5


async def test_an_answer_to_a_cut_prompt_is_thrown_away_and_the_real_window_is_kept_to(
    server: ModelServer, agent: Agent
) -> None:
    server.will(
        says("I have no rules.", prompt_tokens=4090),
        says("By the rules.", prompt_tokens=2200),
        says("At once.", prompt_tokens=2200),
    )
    first = await ask(agent, long_talk())
    second = await ask(agent, long_talk())

    assert (first.said, first.forgot, list(first.smaller)) == ("By the rules.", True, [SEEN])
    assert (second.said, list(second.smaller)) == ("At once.", [])
    assert tokens(server.asked[0]) > 8000
    assert all(tokens(each) < 0.75 * 4096 for each in server.asked[1:])
    assert first.usage == Usage(prompt=4090 + 2200, completion=10)  # it was paid for


async def test_what_was_counted_and_estimated_together_is_estimated(
    server: ModelServer, agent: Agent
) -> None:
    journal = Journal()
    server.will(says("I have no rules.", prompt_tokens=4090), says("By the rules."))

    await ask(agent, long_talk(), journal)

    [made] = journal.done.values()
    assert made["usage"]["prompt"] > 4090
    assert made["usage"]["estimated"]


async def test_what_was_found_out_is_told_by_a_resumed_turn_too(
    server: ModelServer, agent: Agent
) -> None:
    journal = Journal()
    server.will(says("Hm.", prompt_tokens=4090), says("By the rules.", prompt_tokens=2200))
    await ask(agent, long_talk(), journal)
    resumed = Journal(done=json.loads(json.dumps(journal.done)))
    answer = await ask(agent, long_talk(), resumed)
    assert (answer.forgot, list(answer.smaller), resumed.ran) == (True, [SEEN], [])


async def test_a_server_that_does_not_count_what_it_reads_is_asked_once_more_and_never_again(
    server: ModelServer, agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    # It counts only what it had not read before.
    server.will(
        says("One.", prompt_tokens=2000),
        says("Two.", prompt_tokens=500),
        says("Three.", prompt_tokens=1900),
    )
    with caplog.at_level(logging.WARNING):
        first = await ask(agent, long_talk())
        second = await ask(agent, long_talk())
    assert (first.said, list(first.smaller)) == ("Two.", [])
    assert (second.said, list(second.smaller)) == ("Three.", [])
    assert tokens(server.asked[2]) > 8000
    assert "model_counts_not_what_it_reads" in [each.message for each in caplog.records]


async def test_a_question_that_alone_is_more_than_the_server_reads_gets_no_invented_answer(
    server: ModelServer, agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    server.will(
        says("I have no rules.", prompt_tokens=4096),
        says("Still none.", prompt_tokens=4096),
        says("None again.", prompt_tokens=4096),
        says("By the rules.", prompt_tokens=2200),
    )
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with pytest.raises(ContextOverflowError):
                await agent.answer(question("x" * 26_000), Toolbox(), Journal())
    answer = await ask(agent, long_talk())

    # It counts what it reads: the question was too long for it, and trimming cannot help.
    assert "model_counts_not_what_it_reads" not in [each.message for each in caplog.records]
    assert (answer.said, list(answer.smaller)) == ("By the rules.", [SEEN])
    assert tokens(server.asked[3]) < 0.75 * 4096


@pytest.mark.parametrize("counted", [1, 40, 1000])
async def test_a_count_that_is_no_window_changes_nothing(
    server: ModelServer, agent: Agent, counted: int
) -> None:
    server.will(says("One.", prompt_tokens=counted))
    assert (await ask(agent, long_talk())).said == "One."


async def test_a_cut_that_comes_with_a_tools_result_is_seen_although_most_was_read(
    server: ModelServer, agent: Agent
) -> None:
    async def chatty(_: Mapping[str, JSON]) -> JSON:
        return ["word " * 30] * 60

    talk = long_talk(turns=5)
    server.will(
        calls(("chatty", "{}"), prompt_tokens=3900),
        says("Invented.", prompt_tokens=4095),
        says("Found.", prompt_tokens=2300),
    )
    answer = await ask(agent, talk, chatty=chatty)
    assert (answer.said, list(answer.smaller)) == ("Found.", [SEEN])
    assert 0.6 * tokens(server.asked[1]) < 4095  # so its count alone would not show it


@pytest.mark.parametrize(
    ("before", "estimated", "counted", "is_cut"),
    [
        (Counted(estimated=3000, counted=2800), 4000, 2810, True),
        (Counted(estimated=3000, counted=2800), 4000, 3500, False),
        (Counted(estimated=3000, counted=2800), 3200, 2810, False),  # hardly anything came
        (Counted(estimated=3000, counted=6000), 4000, 2900, False),  # counts what is new
        (None, 4000, 2810, False),
    ],
)
def test_a_prompt_that_grew_must_count_for_more(
    before: Counted | None, estimated: int, counted: int, is_cut: bool
) -> None:
    usage = Usage(prompt=counted, completion=5)
    assert (CutWatch("model").look(estimated, usage, before) is not None) is is_cut


async def test_tools_are_chosen_anew_for_the_window_that_is_really_there(
    server: ModelServer, agent: Agent
) -> None:
    """All tools fit into what is configured, but not into what the server reads."""

    async def found(_: Mapping[str, JSON]) -> JSON:
        return "found"

    toolbox = ManyTools({"list_updates": found}, forge=12)
    server.will(
        says("I have no rules.", prompt_tokens=4090),
        calls(("choose_namespaces", '{"names": ["updates"]}'), prompt_tokens=300),
        says("By the rules.", prompt_tokens=2200),
    )
    async with asyncio.timeout(10):
        answer = await agent.answer(question(history=long_talk()), toolbox, Journal())
    assert answer.said == "By the rules."
    names = [[tool["function"]["name"] for tool in each.body["tools"]] for each in server.asked]
    assert (len(names[0]), names[1], names[2]) == (
        14,
        ["choose_namespaces"],
        ["choose_namespaces", "list_updates"],
    )


@pytest.mark.parametrize("dialect", OVERFLOWS)
async def test_an_overflow_is_trimmed_and_tried_once_more_in_every_dialect(
    server: ModelServer, agent: Agent, dialect: str
) -> None:
    server.will(refuses(400, OVERFLOWS[dialect]), says("Here."))
    answer = await ask(agent, long_talk())
    assert (answer.said, answer.forgot) == ("Here.", True)
    assert tokens(server.asked[1]) < 0.6 * tokens(server.asked[0])
    assert list(answer.smaller) == ([SEEN] if dialect in TELLS else [])


@pytest.mark.parametrize("dialect", OVERFLOWS)
async def test_a_second_overflow_ends_in_a_line_that_names_the_way_out(
    server: ModelServer, agent: Agent, dialect: str
) -> None:
    server.will(*[refuses(400, OVERFLOWS[dialect])] * 2)
    with pytest.raises(ContextOverflowError) as raised:
        await ask(agent, long_talk())
    assert "!reset" in raised.value.user_message


@pytest.mark.parametrize("dialect", TELLS)
async def test_a_window_that_a_server_names_is_kept_to_from_then_on(
    server: ModelServer, agent: Agent, dialect: str
) -> None:
    server.will(refuses(400, OVERFLOWS[dialect]), says("One."), says("Two."))
    await ask(agent, long_talk())
    await ask(agent, long_talk())
    assert tokens(server.asked[2]) < 0.75 * 4096


@pytest.mark.parametrize("letters", ["ж", "漢"])
async def test_other_scripts_need_more_tokens_a_letter_and_get_the_room(
    server: ModelServer, agent: Agent, letters: str
) -> None:
    talk: list[Message] = [UserMessage(text=letters * 20_000), AssistantMessage(text="Yes.")]
    server.will(says("Here."))
    answer = await ask(agent, talk)
    assert answer.forgot
    assert letters not in str(server.asked[0].messages)
