"""Questions: an answer in prose, or one line that says why there is none."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.homeserver_stub import Failure
from tests.support.model_server import ModelServer, calls, is_silent, refuses, says
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    STRANGER,
    UPDATES,
    Scene,
    open_scene,
)
from tests.support.turns import turn_states


async def test_without_a_model_a_question_is_answered_with_what_works(scene: Scene) -> None:
    scene.seat(*EVERYBODY)

    [answer] = await scene.ask("lycatra: what is new?")

    assert answer.by == MAIN
    assert "no language model is configured" in answer.body


async def test_a_question_is_answered_from_a_tool_in_prose(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY, state={"m.room.name": {"name": "Kitchen"}})
    model.will(calls(("list_updates", '{"limit": 7}')), says("There are seven."))

    [answer] = await asking.ask("lycatra: what is new?")

    assert (answer.by, answer.body) == (MAIN, "There are seven.")
    assert answer.content["msgtype"] == "m.text"
    assert answer.content["m.mentions"] == {"user_ids": [PERSON]}
    first, second = (asked.messages for asked in model.asked)
    assert first[-1]["content"].startswith(f"{PERSON}: what is new?\n\n<context>\nNow: ")
    assert 'Place: the room "Kitchen".\nPerson: "Person"' in first[-1]["content"]
    assert "7" in second[-1]["content"]


async def test_a_question_to_a_virtual_user_gets_only_its_tools(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    model.will(says("Nothing."))

    [answer] = await asking.ask("lycatra_updates: anything?")

    assert answer.by == UPDATES
    [asked] = model.asked
    assert [tool["function"]["name"] for tool in asked.body["tools"]] == ["list_updates"]
    assert "Lycatra Updates: What is new." in asked.context


async def test_in_a_dm_nobody_is_mentioned_and_no_room_is_named(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN, state={"m.room.name": {"name": "Kitchen"}})
    model.will(says("Good morning."))

    [answer] = await asking.ask("good morning")

    assert answer.content["m.mentions"] == {}
    assert "a direct chat" in model.asked[0].context


async def test_a_conversation_is_remembered_and_a_thread_is_another(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN)
    model.will(says("Blue."), says("Because."), says("What?"))
    await asking.ask("which colour?")
    await asking.ask("why?")
    await asking.ask("why?", m_relates_to={"rel_type": "m.thread", "event_id": "$root"})

    told = [asked.said for asked in model.asked]
    assert told == [
        ["which colour?"],
        ["which colour?", "Blue.", "why?"],
        ["why?"],
    ]


async def test_a_model_that_is_away_is_told_in_one_line(asking: Scene, model: ModelServer) -> None:
    asking.seat(*EVERYBODY)
    model.will(*[refuses(503, "private detail of the provider")] * 3)

    [answer] = await asking.ask("lycatra: what is new?")

    assert answer.body.startswith("⚠️ ")
    assert "language model" in answer.body
    assert "private" not in answer.body
    assert list((await turn_states(asking.database)).values()) == ["done"]


async def test_a_stranger_is_told_that_he_may_not_ask(asking: Scene) -> None:
    asking.seat(STRANGER, OTHER, MAIN)

    [answer] = await asking.ask("lycatra: what is new?", sender=STRANGER)

    assert "no rights" in answer.body


# The typing notice


def typing(scene: Scene) -> list[tuple[str, bool]]:
    return [(seen.user, seen.json["typing"]) for seen in scene.stub.asked("PUT", "/typing/")]


async def test_somebody_types_while_the_model_works_and_stops_with_the_answer(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    model.will(says("Hello."))

    await asking.ask("lycatra_updates: hello")

    assert typing(asking)[-1] == (UPDATES, False)
    assert set(typing(asking)) <= {(UPDATES, True), (UPDATES, False)}


async def test_nobody_types_any_more_after_a_failure(asking: Scene, model: ModelServer) -> None:
    asking.seat(*EVERYBODY)
    model.will(*[refuses(500)] * 3)

    await asking.ask("lycatra: hello")

    assert typing(asking)[-1] == (MAIN, False)


async def test_nobody_types_any_more_when_a_turn_is_interrupted(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    model.will(is_silent(model))
    await asking.push(asking.message("lycatra: hello"))
    working = asyncio.create_task(asking.work())
    async with asyncio.timeout(10):
        await model.hanging.wait()

    working.cancel()
    await asyncio.wait([working])

    assert typing(asking)[0] == (MAIN, True)
    assert typing(asking)[-1] == (MAIN, False)


@pytest.mark.parametrize("status", [403, 500])
async def test_an_answer_does_not_depend_on_the_typing_notice(
    asking: Scene, model: ModelServer, status: int
) -> None:
    asking.seat(*EVERYBODY)
    model.will(says("Hello."))
    refusal = Failure(method="PUT", contains="/typing/", status=status, errcode="M_X", times=99)
    asking.stub.fail(refusal)

    [answer] = await asking.ask("lycatra: hello")

    assert answer.body == "Hello."


async def test_after_a_reset_the_model_hears_nothing_of_before(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN)
    model.will(says("Blue."), says("Hello."))
    await asking.ask("which colour?")
    [confirmed] = await asking.ask("!reset")
    await asking.ask("hello")

    assert confirmed.body.startswith("I start afresh")
    assert model.asked[-1].said == ["hello"]


async def test_an_answer_that_takes_too_long_ends_in_one_line(
    tmp_path: Path, model: ModelServer
) -> None:
    model.will(is_silent(model))
    async with open_scene(
        tmp_path, model_url=model.base_url, patience=timedelta(milliseconds=300)
    ) as scene:
        scene.seat(*EVERYBODY)
        [answer] = await scene.ask("lycatra: what is new?")

    assert "could not finish" in answer.body


async def test_a_stranger_cannot_make_a_conversation_begin_anew(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, STRANGER, MAIN)
    model.will(says("Blue."), says("Hello."))
    await asking.ask("lycatra: which colour?")
    [refused] = await asking.ask("lycatra: !reset", sender=STRANGER)
    await asking.ask("lycatra: hello")

    assert "no rights" in refused.body
    assert "Blue." in [message["content"] for message in model.asked[-1].messages]
