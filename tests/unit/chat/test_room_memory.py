"""What a room lets us remember goes with it, and ends with it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lycatra_appservice.model import LaneKind, RoomID
from tests.support.scene import EVERYBODY, MAIN, PERSON, ROOM, Scene
from tests.unit.chat.revising import all_texts, edit, hurry, redaction, work_off
from tests.unit.chat.rooms_of_tests import change, goes
from tests.unit.tools.assistant.remembering import open_remembering, said

NEW = RoomID("!new-room:hs.test")
ROUTER = "!remember the router is in the cellar"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_remembering(tmp_path) as opened:
        yield opened


async def upgrade(scene: Scene) -> None:
    create = {"predecessor": {"room_id": ROOM}, "room_version": "10"}
    rules = {"join_rule": "public"}
    scene.seat(PERSON, room_id=NEW, state={"m.room.create": create, "m.room.join_rules": rules})
    scene.stub.rooms[NEW].invite_only = False
    content = {"body": "moved", "replacement_room": NEW}
    await change(scene, "m.room.tombstone", content)


async def test_what_a_room_told_is_forgotten_when_the_last_of_us_leaves(scene: Scene) -> None:
    await said(scene, ROUTER)
    ours = [user for user in EVERYBODY if scene.users.is_ours(user) and user != MAIN]
    for user in ours:
        await goes(scene, user, by=PERSON)
    assert "cellar" in await said(scene, "!recall")
    await goes(scene, MAIN, by=PERSON)
    scene.seat(*EVERYBODY)
    for user in (MAIN, *ours):
        await goes(scene, user, "join", before="leave")

    assert "I remember nothing for this room yet" in await said(scene, "!recall")


async def test_what_a_room_told_is_known_where_it_goes_on(scene: Scene) -> None:
    await said(scene, ROUTER)
    await upgrade(scene)

    assert "cellar" in await said(scene, "!recall", room_id=NEW)
    await said(scene, "!remember bins go out on Thursday", room_id=NEW)
    assert "2: bins" in await said(scene, "!recall bins", room_id=NEW)
    assert "bins" not in await said(scene, "!recall")


async def test_a_reminder_that_moved_with_the_room_is_not_said_to_be_taken_back(
    scene: Scene,
) -> None:
    await said(scene, "!remind me in 2 hours tea")
    await upgrade(scene)
    refused = await said(scene, "!remind me cancel=1", room_id=NEW)
    before = len(scene.said(NEW))
    await hurry(scene)

    assert "Delete the message that asked for it" in refused
    [reminder] = scene.said(NEW)[before:]
    assert "⏰ tea" in reminder.body


async def test_who_deletes_what_was_to_be_remembered_has_it_forgotten(scene: Scene) -> None:
    asked = scene.message(ROUTER)
    await scene.hear(asked)
    await scene.hear(redaction(scene, asked["event_id"]))
    await hurry(scene)

    assert "I remember nothing for this room yet" in await said(scene, "!recall")
    assert "the router is in" not in await all_texts(scene.database)


async def test_another_fact_of_the_room_stays_when_one_is_deleted(scene: Scene) -> None:
    asked = scene.message(ROUTER)
    await scene.hear(asked)
    await said(scene, "!remember bins go out on Thursday")
    await scene.hear(redaction(scene, asked["event_id"]))

    assert "2: bins" in await said(scene, "!recall")


async def test_a_question_that_gets_other_words_in_time_leaves_only_those(scene: Scene) -> None:
    asked = scene.message(ROUTER)
    await scene.push(asked, edit(scene, asked, "!remember the router is in the attic"))
    await work_off(scene, LaneKind.CONTROL)
    await scene.work()

    found = await said(scene, "!recall")
    assert "attic" in found
    assert "cellar" not in found
