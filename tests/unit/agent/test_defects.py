"""Every way a model server is known to misbehave, by what comes of it: calls, words, leftovers."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from lycatra_appservice.agent.asking import Window
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.loop import Agent, Models
from lycatra_appservice.errors import ModelError
from lycatra_appservice.model import JSON
from lycatra_appservice.words.catalogue import in_english
from tests.support.model_server import (
    DONE,
    End,
    ModelServer,
    delta,
    event,
    says,
    usage,
    writes,
)
from tests.unit.agent.support import Journal, Toolbox, question


def piece(**fields: Any) -> bytes:
    """A piece of a tool call, as the server writes it."""
    return delta(tool_calls=[fields])


def function(name: str | None = None, arguments: Any = None) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


async def look(arguments: Mapping[str, JSON]) -> JSON:
    return {"seen": dict(arguments)}


async def no_delay(_: float) -> None:
    """Attempts follow each other at once."""


@pytest.fixture
def toolbox() -> Toolbox:
    return Toolbox({"look": look, "peek": look})


async def ask(backend: ChatCompletionsBackend, toolbox: Toolbox) -> str:
    agent = Agent(Models.only(backend, Window(context_tokens=8192)), delay=no_delay)
    async with asyncio.timeout(10):
        return in_english((await agent.answer(question(), toolbox, Journal())).said)


TWO = [("look", {"x": 1}), ("peek", {"y": 2})]
ONE = [("look", {"x": 1})]
NOTHING: list[tuple[str, dict[str, int]]] = [("look", {})]


@pytest.mark.parametrize(
    ("blocks", "called"),
    [
        pytest.param(
            [
                piece(index=0, id="a", function=function("look", '{"x":1}')),
                piece(index=0, id="b", function=function("peek", '{"y":2}')),
            ],
            TWO,
            id="two calls at index 0",
        ),
        pytest.param(
            [
                piece(index=0, function=function("look", '{"x"')),
                piece(index=0, function=function(None, ":1}")),
                piece(index=0, function=function("peek", '{"y":2}')),
            ],
            TWO,
            id="without ids at index 0",
        ),
        pytest.param(
            [
                piece(id="a", function=function("look", '{"x":1}')),
                piece(id="b", function=function("peek", '{"y":2}')),
            ],
            TWO,
            id="without indexes",
        ),
        pytest.param(
            [
                delta(
                    tool_calls=[
                        {"index": 0, "id": "a", "function": function("look", '{"x":1}')},
                        {"index": 1, "id": "b", "function": function("peek", '{"y":2}')},
                    ]
                )
            ],
            TWO,
            id="both in one chunk",
        ),
        pytest.param(
            [piece(index=0, id="a", function=function("look", {"x": 1}))], ONE, id="an object"
        ),
        pytest.param(
            [piece(index=0, id="a", function=function("look", json.dumps('{"x":1}')))],
            ONE,
            id="encoded twice",
        ),
        pytest.param([piece(index=0, id="a", function=function("look", ""))], NOTHING, id="empty"),
        pytest.param(
            [piece(index=0, id="a", function=function("look", None))], NOTHING, id="null"
        ),
        pytest.param(
            [piece(index=0, id="a", function={"name": "look"})], NOTHING, id="no arguments"
        ),
        pytest.param(
            [
                delta(content="<thi"),
                delta(content="nk>which one?</th"),
                delta(content="ink>One moment."),
                piece(index=0, id="a", function=function("look", '{"x":1}')),
            ],
            ONE,
            id="thinking and a preamble",
        ),
        pytest.param(
            [
                delta(reasoning_content="look!"),
                piece(index=0, id="a", function=function("look", '{"x":1}')),
            ],
            ONE,
            id="reasoning",
        ),
    ],
)
@pytest.mark.parametrize("finish", ["tool_calls", "stop", "function_call", None])
async def test_the_calls_that_were_meant_are_made_once_and_answered_in_order(
    server: ModelServer,
    backend: ChatCompletionsBackend,
    toolbox: Toolbox,
    blocks: list[bytes],
    called: list[tuple[str, dict[str, int]]],
    finish: str | None,
) -> None:
    server.will(writes(*blocks, delta(finish), usage(9), DONE), says("Here."))
    assert await ask(backend, toolbox) == "Here."
    assert toolbox.called == called
    *_, asked = server.asked[1].messages[: -len(called)]
    ids = [each["id"] for each in asked["tool_calls"]]
    results = server.asked[1].messages[-len(called) :]
    assert [each["tool_call_id"] for each in results] == ids
    assert len(set(ids)) == len(called)
    assert "think" not in json.dumps(server.asked[1].messages)


HALF_A_CALL = piece(index=0, id="a", function=function("look", '{"x": "unfini'))


@pytest.mark.parametrize("end", ["close", "cut"])
async def test_a_call_that_was_cut_is_never_made(
    server: ModelServer, backend: ChatCompletionsBackend, toolbox: Toolbox, end: End
) -> None:
    server.will(writes(HALF_A_CALL, end=end))
    if end == "close":
        server.will(says("Sorry."))
        assert await ask(backend, toolbox) == "Sorry."
    else:
        with pytest.raises(ModelError):
            await ask(backend, toolbox)
    assert toolbox.called == []


HELLO = delta(content="Gr") + delta(content="ün <th") + delta(content="ink>hm</think>😀")


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(HELLO + delta("stop") + DONE, id="as it should be"),
        pytest.param((HELLO + delta("stop") + DONE).replace(b"data: ", b"data:"), id="no space"),
        pytest.param((HELLO + delta("stop") + DONE).replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(
            b": OPENROUTER PROCESSING\n\n" + HELLO + b": still\n\n" + delta("stop") + DONE,
            id="comments",
        ),
        pytest.param(
            event({"choices": []}) + HELLO + delta("stop") + usage(9) + DONE, id="no choices"
        ),
        pytest.param(HELLO + delta("stop"), id="no DONE"),
        pytest.param(HELLO + DONE, id="no reason"),
        pytest.param(b"event: message\nid: 7\nretry: 5\n" + HELLO + DONE, id="other fields"),
    ],
)
@pytest.mark.parametrize("bytes_at_once", [1, 7, 100_000])
async def test_words_arrive_whole_however_they_are_written_and_cut(
    server: ModelServer,
    backend: ChatCompletionsBackend,
    toolbox: Toolbox,
    written: bytes,
    bytes_at_once: int,
) -> None:
    starts = range(0, len(written), bytes_at_once)
    server.will(writes(*(written[start : start + bytes_at_once] for start in starts)))
    assert await ask(backend, toolbox) == "Grün 😀"


WORDS = delta(content="It is half")


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(writes(WORDS, end="cut"), id="cut"),
        pytest.param(writes(WORDS), id="clean end"),
        pytest.param(writes(WORDS, event({"error": {"message": "overloaded"}})), id="error"),
        pytest.param(writes(WORDS, event({"error": "CUDA"}), end="hang"), id="error, then hangs"),
        pytest.param(writes(WORDS, b"data: {oops\n\n", end="hang"), id="garbage"),
        pytest.param(writes(WORDS, b"data: [1]\n\n", end="hang"), id="no object"),
        pytest.param(writes(WORDS, end="hang"), id="silence"),
    ],
)
async def test_what_was_said_is_kept_and_marked_and_nothing_is_left_open(
    server: ModelServer, backend_with: Any, toolbox: Toolbox, reply: Any
) -> None:
    backend = backend_with(idle_timeout="0.3s")
    before = asyncio.all_tasks()
    server.will(reply)
    said = await ask(backend, toolbox)
    assert said.startswith("It is half")
    assert "ask again" in said or "cut" in said
    await backend.aclose()
    for _ in range(5):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - before
    assert not {each for each in left if "RequestHandler" not in repr(each.get_coro())}


async def test_an_answer_that_is_only_an_unclosed_thought_is_asked_for_once_more(
    server: ModelServer, backend: ChatCompletionsBackend, toolbox: Toolbox
) -> None:
    server.will(writes(delta(content="<think>I wonder"), delta("stop"), DONE), says("Here."))
    assert await ask(backend, toolbox) == "Here."
