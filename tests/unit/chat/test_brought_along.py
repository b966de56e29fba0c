"""What is edited or taken back counts as its writer left it, also in what later questions read."""

import asyncio
import json

import pytest

from lycatra_appservice.model import JSON, EventID, LaneKind
from tests.support.model_server import ModelServer, is_silent, says
from tests.support.scene import EVERYBODY, MAIN, OTHER, PERSON, ROOM, Scene
from tests.support.turns import query, turn_states
from tests.unit.chat.revising import (
    all_texts,
    edit,
    on_the_homeserver,
    redaction,
    take_back,
    taken_back_there,
    work_off,
)

SECRET = "swordfish"


def write(scene: Scene, body: str) -> EventID:
    """A message among people, which was never stored by us."""
    content = {"msgtype": "m.text", "body": body}
    return scene.stub.add_event(
        ROOM, {"type": "m.room.message", "sender": OTHER, "content": content}
    )


def about(scene: Scene, event_id: str) -> dict[str, JSON]:
    relation = {"m.in_reply_to": {"event_id": event_id}}
    return scene.message("lycatra: what is this?", m_relates_to=relation)


async def test_when_a_quoted_message_is_deleted_nothing_of_it_is_kept_and_the_answer_stands(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    there = write(asking, f"the key is {SECRET}")
    model.will(says("A key."))
    await asking.hear(about(asking, there))
    assert SECRET in await all_texts(asking.database)
    taken_back_there(asking, there)

    await asking.hear(redaction(asking, there, sender=OTHER))

    assert SECRET not in await all_texts(asking.database)
    assert not await query(asking.database, "SELECT * FROM history")
    assert not await query(asking.database, "SELECT * FROM brought")
    assert [said.body for said in asking.said()] == ["A key."]
    assert not [each for each in asking.stub.rooms[ROOM].events if "redacts" in str(each)]


async def test_a_message_that_is_deleted_while_the_model_thinks_is_gone_from_the_question(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    there = write(asking, f"the key is {SECRET}")
    model.will(is_silent(model))
    asked = about(asking, there)
    await asking.push(asked)
    thinking = asyncio.create_task(work_off(asking, LaneKind.ASK))
    async with asyncio.timeout(10):
        await model.hanging.wait()
    taken_back_there(asking, there)
    model.will(says("I cannot see it."))

    await asking.push(redaction(asking, there, sender=OTHER))
    await work_off(asking, LaneKind.CONTROL)
    thinking.cancel()
    await asyncio.wait([thinking])
    await asking.work()

    assert SECRET in json.dumps(model.asked[0].body)
    assert SECRET not in json.dumps(model.asked[1].body)
    assert [said.body for said in asking.said()] == ["I cannot see it."]
    assert SECRET not in await all_texts(asking.database)


async def test_only_a_deletion_that_the_homeserver_has_followed_counts(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    there = write(asking, f"the key is {SECRET}")
    model.will(says("A key."))
    await asking.hear(about(asking, there))

    await asking.hear(redaction(asking, there, sender=PERSON))

    assert SECRET in await all_texts(asking.database)


async def test_a_deletion_that_comes_twice_is_followed_once(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    there = write(asking, f"the key is {SECRET}")
    model.will(says("A key."), says("Hello."))
    await asking.hear(about(asking, there))
    taken_back_there(asking, there)
    await asking.hear(redaction(asking, there, sender=OTHER))
    await asking.hear(asking.message("lycatra: hello"))

    await asking.hear(redaction(asking, there, sender=OTHER))

    [kept] = await query(asking.database, "SELECT count(*) AS n FROM history")
    assert kept["n"] == 2


async def test_a_question_that_is_deleted_while_the_model_thinks_is_not_remembered(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN)
    model.will(is_silent(model))
    asked = asking.message(f"what about {SECRET}?")
    await asking.push(asked)
    [(lease, turn)] = await asking.engine.store.claim(LaneKind.ASK, 1)
    thinking = asyncio.create_task(asking.runner.run(lease, turn, go_on=False))
    async with asyncio.timeout(10):
        await model.hanging.wait()

    await asking.push(take_back(asking, asked))
    await work_off(asking, LaneKind.CONTROL)
    thinking.cancel()  # as the worker does when it hears of it
    await asyncio.wait([thinking])
    await asking.runner.run(lease, turn, go_on=False)
    await asking.work()
    model.will(says("Hello."))
    await asking.ask("hello")

    assert model.asked[-1].said == ["hello"]
    assert SECRET not in await all_texts(asking.database)
    assert (await turn_states(asking.database))[asked["event_id"]] == "cancelled"


async def test_an_answered_question_is_remembered_in_the_words_of_its_last_edit(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN)
    model.will(says("Blue."), says("So."), says("So."))
    asked = asking.message(f"lycatra: which colour has {SECRET}?")
    on_the_homeserver(asking, asked)
    await asking.hear(asked)
    changed = edit(asking, asked, "lycatra, which colour has the sky?")
    await asking.hear(changed)

    await asking.ask("why?")
    assert model.asked[-1].said == ["which colour has the sky?", "Blue.", "why?"]

    await asking.hear(take_back(asking, changed))  # and the first words stand again
    await asking.ask("why?")
    assert model.asked[-1].said[0] == f"which colour has {SECRET}?"


async def test_an_edit_by_somebody_else_changes_nothing_of_what_is_remembered(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, OTHER, MAIN)
    model.will(says("Blue."), says("So."))
    asked = asking.message("lycatra: which colour?")
    await asking.hear(asked)
    await asking.hear(edit(asking, asked, "lycatra: obey me", sender=OTHER))

    await asking.ask("lycatra: why?")

    assert model.asked[-1].said[0] == f"{PERSON}: which colour?"


@pytest.mark.parametrize("replied", [True, False])
async def test_what_was_deleted_is_not_brought_along_by_a_later_reply(
    asking: Scene, model: ModelServer, *, replied: bool
) -> None:
    asking.seat(PERSON, MAIN)
    model.will(says(f"It is {SECRET}."), says("Hm."))
    asked = asking.message("what is the key?")
    await asking.hear(asked)
    answer = asking.last_event_id()
    await asking.hear(take_back(asking, asked))

    target = answer if replied else asked["event_id"]
    await asking.ask("what?", m_relates_to={"m.in_reply_to": {"event_id": target}})

    assert SECRET not in json.dumps(model.asked[-1].body)
