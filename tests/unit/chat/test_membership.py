"""Invitations to our users, and what becomes of the rooms they are in."""

import pytest

from tests.support.homeserver_stub import Failure
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    STRANGER,
    UPDATES,
    Scene,
)
from tests.support.turns import query, turn_states


async def test_an_invitation_is_accepted_and_the_room_is_known(scene: Scene) -> None:
    scene.seat(PERSON)
    scene.stub.rooms[ROOM].members[MAIN] = "invite"

    await scene.hear(scene.member(MAIN, "invite"))

    assert scene.stub.rooms[ROOM].members[MAIN] == "join"
    asked = len(scene.stub.requests)
    assert (await scene.rooms.view(ROOM)).people == {PERSON: "Person"}
    assert len(scene.stub.requests) == asked


async def test_an_invitation_of_a_stranger_is_refused_with_the_reason(scene: Scene) -> None:
    scene.seat(STRANGER)
    scene.stub.rooms[ROOM].members[MAIN] = "invite"

    await scene.hear(scene.member(MAIN, "invite", sender=STRANGER))

    assert scene.stub.rooms[ROOM].members[MAIN] == "leave"
    [leaving] = scene.stub.asked("POST", "/leave")
    assert "Ask whoever runs me" in leaving.json["reason"]


async def test_the_technical_user_names_whom_to_invite_instead(scene: Scene) -> None:
    scene.seat(PERSON)
    scene.stub.rooms[ROOM].members[scene.users.sender] = "invite"

    await scene.hear(scene.member(scene.users.sender, "invite"))

    [leaving] = scene.stub.asked("POST", "/leave")
    assert leaving.user == scene.users.sender
    assert MAIN in leaving.json["reason"]


async def test_an_invitation_to_a_user_that_does_not_exist_makes_none(scene: Scene) -> None:
    scene.seat(PERSON)

    await scene.hear(scene.member("@lycatra_nope:hs.test", "invite"))

    assert scene.stub.requests == []
    assert list((await turn_states(scene.database)).values()) == ["done"]


async def test_lycatra_may_bring_a_virtual_user_along(scene: Scene) -> None:
    scene.seat(STRANGER, MAIN)
    scene.stub.rooms[ROOM].members[UPDATES] = "invite"

    await scene.hear(scene.member(UPDATES, "invite", sender=MAIN))

    assert scene.stub.rooms[ROOM].members[UPDATES] == "join"


async def test_an_invitation_that_was_taken_back_does_no_harm(scene: Scene) -> None:
    scene.seat(PERSON)

    await scene.hear(scene.member(MAIN, "invite"))

    assert list((await turn_states(scene.database)).values()) == ["done"]
    assert await query(scene.database, "SELECT * FROM room") == []


async def test_an_invitation_is_tried_again_when_the_homeserver_is_back(scene: Scene) -> None:
    scene.seat(PERSON)
    scene.stub.rooms[ROOM].members[MAIN] = "invite"
    scene.stub.fail(Failure(method="GET", contains="/state", status=502, raw=b"bad gateway"))

    await scene.hear(scene.member(MAIN, "invite"))

    assert (await scene.rooms.view(ROOM)).people == {PERSON: "Person"}
    assert len(scene.stub.asked("POST", "/join/")) == 1


async def test_a_group_becomes_a_dm_when_the_others_leave(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    assert await scene.ask("!lst updates") == []

    await scene.hear(scene.member(OTHER, "leave"))

    [answer] = await scene.ask("!lst updates")
    assert "Did you mean" in answer.body


async def test_a_dm_becomes_a_group_when_somebody_is_invited(scene: Scene) -> None:
    scene.seat(PERSON, MAIN)
    assert len(await scene.ask("!lst updates")) == 1

    await scene.hear(scene.member(OTHER, "invite"))

    assert await scene.ask("!lst updates") == []


@pytest.mark.parametrize("membership", ["leave", "ban"])
async def test_a_room_that_the_last_of_us_has_left_is_forgotten(
    scene: Scene, membership: str
) -> None:
    scene.seat(PERSON, MAIN, UPDATES)
    await scene.rooms.view(ROOM)

    for each in (MAIN, UPDATES):
        scene.stub.state[ROOM, "m.room.member", each] = {"membership": membership}
    await scene.hear(scene.member(MAIN, membership))
    assert len(await query(scene.database, "SELECT * FROM room")) == 1

    await scene.hear(scene.member(UPDATES, membership))
    assert await query(scene.database, "SELECT * FROM room") == []
    assert await query(scene.database, "SELECT * FROM member") == []


async def test_a_change_that_was_found_late_does_not_undo_a_later_one(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN)
    await scene.rooms.view(ROOM)
    await scene.hear(scene.member(OTHER, "leave"))
    scene.stub.state[ROOM, "m.room.member", OTHER] = {"membership": "leave"}

    await scene.push(scene.member(OTHER, "join"), via="sync")
    await scene.work()

    assert (await scene.rooms.view(ROOM)).people.keys() == {PERSON}
