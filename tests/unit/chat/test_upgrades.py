"""Rooms that are upgraded: we go where the people go, if it is really there."""

import json
from pathlib import Path
from typing import Final

import pytest

from lycatra_appservice.model import JSON, RoomID
from tests.support.homeserver_stub import Failure
from tests.support.scene import (
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    STRANGER,
    UPDATES,
    Scene,
    open_scene,
)
from tests.support.toolbench import Lists
from tests.support.turns import query
from tests.unit.chat.rooms_of_tests import change, goes, here, invite, reasons, try_again

NEW: Final = RoomID("!new-room:hs.test")
CONTINUES: Final[dict[str, JSON]] = {"predecessor": {"room_id": ROOM}, "room_version": "10"}


def old_room(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, STRANGER, MAIN, UPDATES)


def new_room(scene: Scene, create: JSON = None, *, public: bool = True) -> None:
    state = {
        "m.room.create": CONTINUES if create is None else create,
        "m.room.join_rules": {"join_rule": "public" if public else "invite"},
    }
    scene.seat(PERSON, OTHER, STRANGER, room_id=NEW, state=state)
    scene.stub.rooms[NEW].invite_only = not public


async def upgrade(scene: Scene, *, via: str = "push", key: str = "") -> None:
    content = {"body": "moved", "replacement_room": NEW}
    await change(scene, "m.room.tombstone", content, via=via, key=key)


async def chosen_in(scene: Scene, room_id: RoomID) -> JSON:
    rows = await query(
        scene.database, "SELECT chosen FROM room_settings WHERE room = :room", room=room_id
    )
    return [json.loads(row["chosen"]) for row in rows]


async def choose(scene: Scene, chosen: JSON) -> None:
    await query(
        scene.database,
        "INSERT INTO room_settings (room, chosen, set_by, at) VALUES (:room, :chosen, :by, 0)",
        room=ROOM,
        chosen=json.dumps(chosen),
        by=PERSON,
    )


@pytest.mark.parametrize("via", ["push", "sync"])
async def test_everybody_of_us_follows_with_the_settings(scene: Scene, via: str) -> None:
    old_room(scene)
    new_room(scene)
    await choose(scene, {"reply": "plain"})
    await scene.rooms.view(ROOM)

    await upgrade(scene, via=via)

    assert here(scene, NEW) == {MAIN, UPDATES}
    assert await chosen_in(scene, NEW) == [{"reply": "plain"}]
    assert here(scene) == {MAIN, UPDATES}
    assert scene.said(NEW) == []


async def test_an_upgrade_that_was_never_heard_of_is_seen_when_the_room_is_read(
    scene: Scene,
) -> None:
    old_room(scene)
    new_room(scene)
    scene.stub.state[ROOM, "m.room.tombstone", ""] = {"replacement_room": NEW}

    await scene.rooms.view(ROOM)
    await scene.work()

    assert here(scene, NEW) == {MAIN, UPDATES}


async def test_an_upgrade_seen_again_and_again_is_followed_once(scene: Scene) -> None:
    old_room(scene)
    new_room(scene)
    await upgrade(scene)
    await goes(scene, MAIN, by=PERSON, room_id=NEW)
    await goes(scene, UPDATES, by=PERSON, room_id=NEW)

    await upgrade(scene, via="sync")
    await scene.rooms.view(ROOM)
    await scene.work()

    assert here(scene, NEW) == set()


@pytest.mark.parametrize("create", [{}, {"predecessor": {"room_id": "!another"}}])
async def test_a_room_that_does_not_continue_the_old_one_is_left_again(
    scene: Scene, create: JSON
) -> None:
    old_room(scene)
    new_room(scene, create)

    await upgrade(scene)

    assert here(scene, NEW) == set()
    assert here(scene) == {MAIN, UPDATES}
    assert [ROOM in (reason or "") for reason in reasons(scene)] == [True]


async def test_a_wrong_tombstone_makes_nobody_leave_a_room_that_we_are_in(scene: Scene) -> None:
    old_room(scene)
    scene.seat(PERSON, MAIN, room_id=NEW)

    await upgrade(scene)

    assert here(scene, NEW) == {MAIN}


async def test_what_only_looks_like_a_tombstone_is_none(scene: Scene) -> None:
    old_room(scene)
    new_room(scene)

    await upgrade(scene, key="x")
    await change(scene, "m.room.tombstone", {"replacement_room": 7})

    assert here(scene, NEW) == set()
    assert scene.stub.asked("POST", "/join/") == []


async def test_a_room_for_invited_people_is_waited_for(scene: Scene) -> None:
    old_room(scene)
    new_room(scene, public=False)
    await choose(scene, {"reply": "plain"})

    await upgrade(scene)
    assert here(scene, NEW) == set()
    assert [seen.user for seen in scene.stub.asked("POST", "/join/")] == [MAIN]
    # By anybody: we were there with them already.
    await invite(scene, by=STRANGER, room_id=NEW)

    assert here(scene, NEW) == {MAIN, UPDATES}
    assert await chosen_in(scene, NEW) == [{"reply": "plain"}]
    assert scene.said(NEW) == []


async def test_where_lycatra_may_not_invite_each_waits_for_its_own_invitation(
    scene: Scene,
) -> None:
    old_room(scene)
    new_room(scene, public=False)
    scene.stub.state[NEW, "m.room.power_levels", ""] = {"invite": 50}
    await upgrade(scene)

    await invite(scene, by=STRANGER, room_id=NEW)
    assert here(scene, NEW) == {MAIN}
    await invite(scene, UPDATES, by=STRANGER, room_id=NEW)
    assert here(scene, NEW) == {MAIN, UPDATES}


async def test_an_invitation_that_only_claims_to_continue_a_room_is_refused(scene: Scene) -> None:
    old_room(scene)
    new_room(scene, public=False)

    await invite(scene, by=STRANGER, room_id=NEW, create=CONTINUES)

    assert here(scene, NEW) == set()
    assert scene.stub.asked("POST", "/join/") == []


async def test_a_claim_that_the_old_room_bears_out_is_believed(scene: Scene) -> None:
    old_room(scene)
    new_room(scene, public=False)
    # Nobody has told us, and the room was not read since.
    scene.stub.state[ROOM, "m.room.tombstone", ""] = {"replacement_room": NEW}

    await invite(scene, by=STRANGER, room_id=NEW, create=CONTINUES)

    assert here(scene, NEW) == {MAIN, UPDATES}


async def test_a_tombstone_is_no_invitation_into_a_room_that_says_otherwise(
    scene: Scene,
) -> None:
    old_room(scene)
    new_room(scene, {}, public=False)
    await upgrade(scene)

    await invite(scene, by=STRANGER, room_id=NEW, create=CONTINUES)

    assert here(scene, NEW) == set()


async def test_who_is_denied_invites_us_nowhere_not_even_into_a_successor(
    tmp_path: Path,
) -> None:
    lists = Lists(viewer=["*:hs.test"], none=[STRANGER])
    async with open_scene(tmp_path, lists=lists) as scene:
        old_room(scene)
        new_room(scene, public=False)
        await upgrade(scene)

        await invite(scene, by=STRANGER, room_id=NEW)

        assert here(scene, NEW) == set()


async def test_a_homeserver_that_is_away_meanwhile_is_waited_for(scene: Scene) -> None:
    old_room(scene)
    new_room(scene)
    for _ in range(2):
        scene.stub.fail(Failure(method="POST", contains="/join/", status=502, raw=b""))
    await upgrade(scene)
    scene.stub.fail(Failure(method="GET", contains=f"/{NEW}/state", status=502, raw=b""))

    await try_again(scene)

    assert here(scene, NEW) == {MAIN, UPDATES}


async def test_who_asks_in_the_old_room_is_told_where_the_conversation_is(scene: Scene) -> None:
    old_room(scene)
    new_room(scene)
    await upgrade(scene)

    [told] = await scene.ask("!list updates")
    assert await scene.ask("!list updates") == []
    assert await scene.ask("is anybody here") == []

    assert told.by == MAIN
    assert f"https://matrix.to/#/{NEW}" in told.body
