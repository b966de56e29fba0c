"""The welcome on a real Synapse: once in a room, few lines, and its numbers can be picked."""

from collections.abc import Mapping, Sequence

import pytest

from lycatra_appservice.model import JSON, UserID
from tests.support.live import Live
from tests.support.model_server import says
from tests.support.stage import Room
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WORDS = "Pick one by its number"


async def ours(live: Live, room: Room, kind: str) -> Sequence[JSON]:
    events = await room.events()
    return [each for each in events if each["type"] == kind and each["sender"] in live.users.all]


async def welcome(live: Live, room: Room) -> Mapping[str, JSON]:
    """The only message there, when all that follows has come, too."""

    async def came() -> bool:
        return len(await ours(live, room, "m.reaction")) == 3

    await until(came, f"a welcome in {room.room_id}")
    await live.tables.until_idle()
    [said] = await ours(live, room, "m.room.message")
    found: Mapping[str, JSON] = said
    return found


async def left_again(room: Room, user: UserID) -> None:
    await room.person.call("POST", f"/rooms/{room.room_id}/kick", {"user_id": user})


async def test_a_room_is_welcomed_in_few_lines_with_its_numbers_to_pick(live: Live) -> None:
    room = await live.stage.room()

    said = await welcome(live, room)

    lines = said["content"]["body"].split("\n")
    assert len(lines) <= 4
    assert lines[0].startswith("Hello, I am Lycatra.")
    assert lines[1] == (
        f"{WORDS}: 1️⃣ `!list updates` · 2️⃣ What is new this week? · 3️⃣ `!get service status`"
    )
    assert lines[2] == "Questions go to a model on this server."
    assert said["content"]["msgtype"] == "m.notice"
    seeded = [each["content"]["m.relates_to"] for each in await ours(live, room, "m.reaction")]
    assert seeded == [
        {"rel_type": "m.annotation", "event_id": said["event_id"], "key": key}
        for key in ("1️⃣", "2️⃣", "3️⃣")
    ]


async def test_whoever_comes_later_or_again_says_nothing(live: Live) -> None:
    room = await live.stage.room(others=0)
    said = await welcome(live, room)
    await left_again(room, live.users.main)
    for user in (live.users.of("services"), live.users.main):
        await room.person.invite(room.room_id, user)
        await room.person.wait_for_member(room.room_id, user)
    await live.tables.until_idle()

    [still] = await ours(live, room, "m.room.message")
    assert still["event_id"] == said["event_id"]


async def test_a_virtual_user_that_was_invited_alone_introduces_itself(live: Live) -> None:
    room = await live.stage.room(others=0, invite=[live.users.of("updates")])

    said = await welcome(live, room)

    assert said["sender"] == live.users.of("updates")
    assert "Hello, I am Lycatra Updates" in said["content"]["body"]
    assert "!list updates" in said["content"]["body"]


async def test_before_everybody_nothing_is_said(live: Live) -> None:
    room = await live.stage.room(extra={"preset": "public_chat"})
    await live.tables.until_idle()

    assert await ours(live, room, "m.room.message") == []


async def test_a_picked_command_runs(live: Live) -> None:
    room = await live.stage.room(others=0)
    said = await welcome(live, room)

    await room.person.react(room.room_id, said["event_id"], "3️⃣")

    answer = await room.answer_to(said["event_id"])
    assert "gate" in answer["content"]["body"]


async def test_a_picked_question_is_answered(live: Live) -> None:
    live.model.will(says("A new version of Synapse."))
    room = await live.stage.room()
    said = await welcome(live, room)

    await room.person.react(room.room_id, said["event_id"], "2️⃣")

    answer = await room.answer_to(said["event_id"])
    assert answer["content"]["body"] == "A new version of Synapse."
