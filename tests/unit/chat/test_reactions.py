"""A stop sign ends a question, a number picks a choice; other reactions are nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from lycatra_appservice.model import EventID, LaneKind, Outgoing, RoomID, SendKind, UserID
from lycatra_appservice.turns.delivery import Delivered
from lycatra_appservice.turns.records import Lease, StoredTurn
from tests.support.model_server import ModelServer, says
from tests.support.scene import EVERYBODY, MAIN, OTHER, PERSON, ROOM, UPDATES, Scene, open_scene
from tests.support.toolbench import Lists
from tests.support.turns import turn_states
from tests.unit.chat.revising import (
    reaction,
    stored_triggers,
    take_back,
    turn_row,
    work_off,
)

OPERATOR = UserID("@operator:hs.test")
LISTS = Lists(viewer=["*:hs.test"], operator=[OPERATOR])
CHOICES = {"1️⃣": "!list updates 2", "2️⃣": "What is new?", "3️⃣": "!help"}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, lists=LISTS) as opened:
        opened.seat(*EVERYBODY, OPERATOR)
        yield opened


async def running(scene: Scene) -> tuple[str, Lease, StoredTurn]:
    """A question that somebody works on."""
    asked = scene.message("lycatra: think")
    await scene.push(asked)
    [(lease, turn)] = await scene.engine.store.claim(LaneKind.ASK, 1)
    return asked["event_id"], lease, turn


async def is_stopped(scene: Scene, trigger_id: str) -> bool:
    row = await turn_row(scene, trigger_id)
    return bool(row["cancel_requested"]) or row["state"] == "cancelled"


# --- stopping ---


@pytest.mark.parametrize("key", ["🛑", "⏹️", "⏹"])
async def test_a_stop_sign_on_a_question_stops_it_and_one_line_says_so(
    scene: Scene, key: str
) -> None:
    question, lease, turn = await running(scene)

    await scene.push(*(reaction(scene, question, each) for each in (key, "🛑")))
    await work_off(scene, LaneKind.CONTROL)

    assert await is_stopped(scene, question)
    await scene.runner.run(lease, turn, go_on=False)
    await scene.work()
    [line] = scene.said()
    assert line.body == "I have stopped. Nothing more will come of it."
    assert (line.by, line.content["msgtype"]) == (MAIN, "m.notice")
    assert line.content["m.relates_to"]["m.in_reply_to"]["event_id"] == question
    assert (await turn_states(scene.database))[question] == "cancelled"


async def test_a_stop_sign_on_what_we_are_saying_stops_the_rest(scene: Scene) -> None:
    question, lease, turn = await running(scene)
    rows = [_message(f"part {n}") for n in range(2)]
    first, _ = await scene.engine.store.begin_sending(lease, turn, 0, rows)
    event_id = await scene.client.send_event(
        ROOM, "m.room.message", first.row.txn_id, first.row.content, as_user=MAIN
    )
    await scene.engine.journal.mark_sent(lease, first.row, Delivered(event_id))

    await scene.push(reaction(scene, event_id, "🛑"))
    await work_off(scene, LaneKind.CONTROL)

    assert await is_stopped(scene, question)


async def test_a_question_that_waits_is_stopped_too(scene: Scene) -> None:
    asked = scene.message("!list updates 2")
    await scene.push(asked, reaction(scene, asked["event_id"], "🛑"))
    await work_off(scene, LaneKind.CONTROL)

    await scene.work()

    assert [said.body for said in scene.said()] == [
        "I have stopped. Nothing more will come of it."
    ]


@pytest.mark.parametrize(("who", "stops"), [(PERSON, True), (OPERATOR, True), (OTHER, False)])
async def test_only_the_asker_and_operators_stop_a_question(
    scene: Scene, who: UserID, *, stops: bool
) -> None:
    question, _, _ = await running(scene)

    await scene.push(reaction(scene, question, "🛑", sender=who))
    await work_off(scene, LaneKind.CONTROL)

    assert await is_stopped(scene, question) is stops


@pytest.mark.parametrize("key", ["👍", "✋", "stop", ""])
async def test_other_keys_stop_nothing(scene: Scene, key: str) -> None:
    question, _, _ = await running(scene)

    await scene.push(reaction(scene, question, key))
    await work_off(scene, LaneKind.CONTROL)

    assert not await is_stopped(scene, question)


async def test_a_stop_sign_from_another_room_stops_nothing(scene: Scene) -> None:
    question, _, _ = await running(scene)
    scene.seat(*EVERYBODY, room_id=RoomID("!another"))

    elsewhere = {**reaction(scene, question, "🛑"), "room_id": "!another"}
    await scene.push(elsewhere)
    await work_off(scene, LaneKind.CONTROL)

    assert not await is_stopped(scene, question)


async def test_reactions_that_make_no_sense_are_nothing(scene: Scene) -> None:
    odd = [
        {},
        {"m.relates_to": "text"},
        {"m.relates_to": {"rel_type": "m.annotation", "event_id": 7, "key": "🛑"}},
        {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$x", "key": {"a": 1}}},
        {"m.relates_to": {"rel_type": "m.thread", "event_id": "$x", "key": "🛑"}},
    ]

    assert not await scene.hear(*(scene.event("m.reaction", content) for content in odd))

    assert set((await turn_states(scene.database)).values()) == {"done"}


# --- choices ---


def _message(body: str, **more: object) -> Outgoing:
    content = {"msgtype": "m.text", "body": body, "m.mentions": {}, **more}
    return Outgoing(kind=SendKind.MESSAGE, room_id=ROOM, sender=MAIN, content=content)


async def offer(scene: Scene, **more: object) -> EventID:
    """A message of ours with choices; return its event id."""
    await scene.push(scene.message("lycatra: hello", sender=OTHER))
    [(lease, turn)] = await scene.engine.store.claim(LaneKind.ASK, 1)
    rows = [_message("Pick one", **{"org.lycatra.choices": CHOICES, **more})]
    await scene.engine.store.begin_sending(lease, turn, 0, rows)
    await scene.engine.store.put_back(lease, turn, timedelta(0), failed=False)
    await scene.work()
    return scene.last_event_id()


@pytest.mark.parametrize("key", ["1️⃣", "1\u20e3"])
async def test_a_choice_runs_as_if_the_person_had_written_it(scene: Scene, key: str) -> None:
    offered = await offer(scene)
    picked = reaction(scene, offered, key, sender=PERSON)

    [answer] = await scene.hear(picked)

    assert (answer.by, answer.body.split()[0]) == (UPDATES, "2")
    assert answer.content["m.relates_to"]["m.in_reply_to"]["event_id"] == offered
    assert f"pick:{picked['event_id']}" in await stored_triggers(scene)
    assert not await scene.hear(picked)


async def test_a_choice_that_is_a_question_goes_to_who_offered_it(
    tmp_path: Path, model: ModelServer
) -> None:
    async with open_scene(tmp_path, model_url=model.base_url) as asking:
        asking.seat(*EVERYBODY)
        offered = await offer(asking)
        model.will(says("Nothing is new."))

        [answer] = await asking.hear(reaction(asking, offered, "2️⃣"))

        assert (answer.by, answer.body) == (MAIN, "Nothing is new.")
        assert answer.content["m.mentions"] == {"user_ids": [PERSON]}
        assert model.asked[0].said[-1] == f"{PERSON}: What is new?"


async def test_each_person_may_pick_and_again_after_taking_it_back(scene: Scene) -> None:
    offered = await offer(scene)

    assert len(await scene.hear(reaction(scene, offered, "1️⃣"))) == 1
    assert len(await scene.hear(reaction(scene, offered, "1️⃣", sender=OTHER))) == 1
    assert len(await scene.hear(reaction(scene, offered, "1️⃣"))) == 1


async def test_what_nobody_offered_cannot_be_picked(scene: Scene) -> None:
    offered = await offer(scene)
    theirs = scene.event(
        "m.room.message",
        {"msgtype": "m.text", "body": "Pick", "org.lycatra.choices": CHOICES},
    )
    await scene.hear(theirs)

    assert not await scene.hear(
        reaction(scene, offered, "4️⃣"),
        reaction(scene, offered, "👍"),
        reaction(scene, theirs["event_id"], "1️⃣"),
        reaction(scene, "$unknown", "1️⃣"),
        reaction(scene, offered, "1️⃣", age=timedelta(minutes=11)),
        {**reaction(scene, offered, "1️⃣"), "room_id": "!another"},
        reaction(scene, offered, "1️⃣", sender=MAIN),
    )


@pytest.mark.parametrize("choices", ["text", {"1️⃣": 7}, {"1️⃣": ""}, {"1️⃣": {"a": 1}}, None])
async def test_choices_that_cannot_be_read_are_none(scene: Scene, choices: object) -> None:
    offered = await offer(scene, **{"org.lycatra.choices": choices})

    assert not await scene.hear(reaction(scene, offered, "1️⃣"))


async def test_a_picked_choice_that_waits_is_dropped_with_its_reaction(scene: Scene) -> None:
    offered = await offer(scene)
    picked = reaction(scene, offered, "1️⃣")
    await scene.push(picked)
    await work_off(scene, LaneKind.CONTROL)
    await scene.push(take_back(scene, picked))
    await work_off(scene, LaneKind.CONTROL)

    assert not await scene.hear()


async def test_a_picked_choice_is_stopped_like_a_question(scene: Scene) -> None:
    offered = await offer(scene)
    picked = reaction(scene, offered, "1️⃣")
    await scene.push(picked, scene.message("!stop"))
    await work_off(scene, LaneKind.CONTROL)
    await scene.work()

    assert (await turn_row(scene, f"pick:{picked['event_id']}"))["state"] == "cancelled"
