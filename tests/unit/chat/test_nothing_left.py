"""Whatever a model server does in the middle of an answer: nothing of the turn stays behind."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.support.drafting import AT_ONCE, is_nothing_live, stands
from tests.support.model_server import (
    ModelServer,
    Reply,
    calls,
    delta,
    event,
    is_silent,
    refuses,
    says,
    writes,
)
from tests.support.scene import MAIN, PERSON, Scene, open_scene
from tests.support.turns import query, turn_states, until_true

pytestmark = pytest.mark.slow

TIMES: Final = 20
_CALL: Final = {"index": 0, "id": "c", "function": {"name": "list_updates", "arguments": '{"li'}}

ENDS: Final[Sequence[tuple[str, Callable[[], Reply]]]] = [
    ("cut in a word", lambda: writes(delta(content="Half an ans"), end="cut")),
    ("cut in a call", lambda: writes(delta(tool_calls=[_CALL]), end="cut")),
    ("ended without a word", lambda: writes()),
    ("ended without an end", lambda: writes(delta(content="Half"))),
    (
        "an error in the stream",
        lambda: writes(delta(content="Half"), event({"error": {"message": "out of memory"}})),
    ),
    ("no JSON", lambda: writes(b"data: {nonsense\n\n")),
    ("refused", lambda: refuses(400, {"message": "no"})),
]


@pytest.mark.parametrize("reply", [pytest.param(each, id=name) for name, each in ENDS])
async def test_after_cut_streams_no_task_lease_or_connection_is_left(
    asking: Scene, model: ModelServer, reply: Callable[[], Reply]
) -> None:
    asking.seat(PERSON, MAIN)
    await asking.ask("!help")  # what is opened once, is
    before = len(asyncio.all_tasks())

    for _ in range(TIMES):
        model.will(*[reply()] * 3)  # an attempt may be made again
        assert len(await asking.ask("what is new?")) == 1
        model.forget()

    await _all_is_over(asking, model, before)


async def test_after_a_cut_behind_a_tool_nothing_is_left(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN)
    await asking.ask("!help")
    before = len(asyncio.all_tasks())

    for _ in range(TIMES):
        model.will(calls(("list_updates", "{}")), writes(delta(content="Ha"), end="cut"))
        [answer] = await asking.ask("what is new?")
        assert answer.body.startswith("Ha")

    await _all_is_over(asking, model, before)


@pytest.mark.parametrize("in_the_middle", [False, True])
async def test_after_an_answer_that_was_given_up_nothing_is_left(
    model: ModelServer, tmp_path: Path, *, in_the_middle: bool
) -> None:
    patience = timedelta(seconds=2)  # the first question loads the client
    async with open_scene(
        tmp_path, model_url=model.base_url, patience=patience, drafts=AT_ONCE
    ) as asking:
        asking.seat(PERSON, MAIN)
        model.will(says("Hello."))
        await asking.ask("hello")
        before = len(asyncio.all_tasks()) - _open(model)
        hanging = writes(delta(content="Half"), end="hang")
        model.will(hanging if in_the_middle else is_silent(model))
        [*_, answer] = await asking.ask("what is new?")
        assert "could not finish" in answer.body
        assert is_nothing_live(asking)
        [text] = stands(asking)[1:]
        assert text.startswith("Half …" if in_the_middle else "⚠️")
        async with asyncio.timeout(5):
            await model.client_left.wait()
        await _all_is_over(asking, model, before)


async def _all_is_over(asking: Scene, model: ModelServer, tasks_before: int) -> None:
    assert set((await turn_states(asking.database)).values()) == {"done"}
    leases = await query(asking.database, "SELECT key FROM lane WHERE owner IS NOT NULL")
    assert leases == []
    # The server sees its clients go a little later than they do.
    await until_true(lambda: _open(model) <= 1)  # one is kept for the next question
    await until_true(lambda: len(asyncio.all_tasks()) <= tasks_before + _open(model))


def _open(model: ModelServer) -> int:
    """How many connections the model server still has."""
    return sum(1 for each in model.connections if each is not None and not each.is_closing())
