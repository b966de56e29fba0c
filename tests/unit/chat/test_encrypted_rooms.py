"""Encrypted rooms: one notice there, one unencrypted direct room, and nothing else ever."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from lycatra_appservice.model import JSON, LaneKind, RoomID, UserID
from tests.support.homeserver_stub import Failure
from tests.support.scene import (
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    STRANGER,
    UPDATES,
    Said,
    Scene,
    open_scene,
)
from tests.support.turns import query, turn_states

ENCRYPTION: Final[dict[str, JSON]] = {"algorithm": "m.megolm.v1.aes-sha2"}
CANNOT_READ = "I cannot read encrypted rooms yet"
ASK_HERE = "I cannot read encrypted rooms yet, so I opened this one. Ask me here."
THIRD = UserID("@third:hs.test")


def seat(
    scene: Scene, *members: UserID, room_id: RoomID = ROOM, is_encrypted: bool = True
) -> None:
    state = {"m.room.encryption": ENCRYPTION} if is_encrypted else {}
    scene.seat(*members, room_id=room_id, state=state)


async def invited(scene: Scene, *people: UserID, room_id: RoomID = ROOM) -> None:
    """The first of these people has an encrypted room and invites @lycatra into it."""
    seat(scene, *people, room_id=room_id)
    scene.stub.rooms[room_id].members[MAIN] = "invite"
    joined = {"membership": "join"}
    scene.stub.state[room_id, "m.room.member", MAIN] = joined
    await scene.hear(scene.member(MAIN, "invite", sender=people[0], room_id=room_id))


def cipher(scene: Scene, room_id: RoomID = ROOM, sender: UserID = PERSON) -> dict[str, JSON]:
    content = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgAEnACgAk", "session_id": "s"}
    return scene.event("m.room.encrypted", content, sender=sender, room_id=room_id)


def direct_rooms(scene: Scene) -> Sequence[RoomID]:
    return [
        RoomID(room_id)
        for alias, room_id in scene.stub.aliases.items()
        if alias.startswith("#lycatra_dm_")
    ]


def notice(scene: Scene, room_id: RoomID = ROOM) -> Said:
    """The only thing that we said there."""
    [said] = scene.said(room_id)
    assert said.body.startswith(CANNOT_READ)
    assert said.content["msgtype"] == "m.notice"
    assert "formatted_body" not in said.content
    return said


async def test_an_encrypted_direct_chat_gets_a_notice_and_an_unencrypted_one(
    scene: Scene,
) -> None:
    await invited(scene, PERSON)

    assert "I opened a direct chat" in notice(scene).body
    assert notice(scene).by == MAIN
    [direct] = direct_rooms(scene)
    assert scene.stub.rooms[direct].members == {MAIN: "join", PERSON: "invite"}
    [first] = scene.said(direct)
    assert first.by == MAIN
    assert first.content["msgtype"] == "m.text"  # it must ring: the person waits
    lines = first.body.split("\n")
    assert lines[0] == ASK_HERE
    assert len(lines) <= 4
    assert "`!list updates`" in first.body


async def test_a_group_gets_a_notice_and_the_inviter_the_direct_chat(scene: Scene) -> None:
    await invited(scene, OTHER, PERSON, THIRD)

    assert "whoever invited me" in notice(scene).body
    [direct] = direct_rooms(scene)
    assert scene.stub.rooms[direct].members == {MAIN: "join", OTHER: "invite"}


async def test_a_room_that_becomes_encrypted_is_explained_once(scene: Scene) -> None:
    seat(scene, PERSON, MAIN, is_encrypted=False)
    await scene.ask("!list updates")
    scene.stub.rooms[ROOM].events.clear()

    scene.stub.state[ROOM, "m.room.encryption", ""] = ENCRYPTION
    event = {**scene.event("m.room.encryption", ENCRYPTION), "state_key": ""}
    await scene.hear(event)
    await scene.hear({**event, "event_id": "$again"}, cipher(scene), cipher(scene))

    notice(scene)
    assert len(direct_rooms(scene)) == 1


async def test_who_encrypts_a_group_gets_the_direct_chat(scene: Scene) -> None:
    seat(scene, PERSON, OTHER, MAIN, is_encrypted=False)
    await scene.rooms.view(ROOM)
    scene.stub.state[ROOM, "m.room.encryption", ""] = ENCRYPTION

    event = scene.event("m.room.encryption", ENCRYPTION, sender=OTHER)
    await scene.hear({**event, "state_key": ""})

    notice(scene)
    [direct] = direct_rooms(scene)
    assert OTHER in scene.stub.rooms[direct].members


async def test_the_first_message_that_we_cannot_read_is_enough(scene: Scene) -> None:
    seat(scene, PERSON, MAIN)

    await scene.hear(cipher(scene))

    notice(scene)
    assert len(direct_rooms(scene)) == 1


async def test_who_only_pretends_encryption_does_not_have_the_room_read_each_time(
    scene: Scene,
) -> None:
    seat(scene, PERSON, OTHER, MAIN, is_encrypted=False)
    await scene.rooms.view(ROOM)
    reads = len(scene.stub.asked("GET", f"/rooms/{ROOM}/state"))

    await scene.hear(cipher(scene), cipher(scene), cipher(scene))

    assert scene.said() == []
    asked = [seen.path for seen in scene.stub.asked("GET", f"/rooms/{ROOM}/state")][reads:]
    assert all("m.room.encryption" in path for path in asked)


async def test_a_room_whose_encryption_we_were_never_told_of_is_explained(scene: Scene) -> None:
    seat(scene, PERSON, MAIN, is_encrypted=False)
    await scene.rooms.view(ROOM)
    scene.stub.state[ROOM, "m.room.encryption", ""] = ENCRYPTION

    await scene.hear(cipher(scene))

    notice(scene)
    assert (await scene.rooms.view(ROOM)).encrypted


async def test_in_a_group_nobody_is_written_to_for_a_message_that_was_not_for_us(
    scene: Scene,
) -> None:
    seat(scene, PERSON, OTHER, MAIN)

    await scene.hear(cipher(scene))

    assert "invite me into a room without encryption" in notice(scene).body
    assert direct_rooms(scene) == []


async def test_all_later_messages_cost_a_lookup_and_leave_nothing(scene: Scene) -> None:
    await invited(scene, PERSON)
    asked = len(scene.stub.requests)
    rows = await query(scene.database, "SELECT count(*) AS n FROM send")

    await scene.hear(*(cipher(scene) for _ in range(5)))

    assert len(scene.stub.requests) == asked
    assert await query(scene.database, "SELECT count(*) AS n FROM send") == rows
    kept = await query(
        scene.database,
        "SELECT input FROM turn WHERE trigger_id LIKE '$%' ORDER BY id DESC LIMIT 5",
    )
    assert [row["input"] for row in kept] == ["{}"] * 5
    assert await query(scene.database, "SELECT * FROM step WHERE name LIKE '%ciphertext%'") == []


async def test_nothing_but_the_notice_is_ever_said_there(scene: Scene) -> None:
    await invited(scene, PERSON)

    await scene.ask("!list updates")
    await scene.ask("lycatra: help")

    notice(scene)


async def test_a_person_with_two_encrypted_rooms_gets_one_direct_chat(scene: Scene) -> None:
    another = RoomID("!another")
    await invited(scene, PERSON)
    await invited(scene, PERSON, room_id=another)

    notice(scene)
    notice(scene, another)
    [direct] = direct_rooms(scene)
    assert len(scene.said(direct)) == 1


async def test_a_direct_chat_that_the_person_has_already_is_used(scene: Scene) -> None:
    theirs = RoomID("!theirs")
    seat(scene, PERSON, MAIN, room_id=theirs, is_encrypted=False)
    await scene.rooms.view(theirs)

    await invited(scene, PERSON)

    notice(scene)
    assert direct_rooms(scene) == []
    [first] = scene.said(theirs)
    assert first.body.startswith(f"{CANNOT_READ}. Ask me here.")


async def test_a_direct_chat_that_was_encrypted_is_followed_by_another(scene: Scene) -> None:
    await invited(scene, PERSON)
    [first] = direct_rooms(scene)
    scene.stub.rooms[first].members[PERSON] = "join"
    scene.stub.state[first, "m.room.member", PERSON] = {"membership": "join"}
    scene.stub.state[first, "m.room.encryption", ""] = ENCRYPTION

    event = scene.event("m.room.encryption", ENCRYPTION, room_id=first)
    await scene.hear({**event, "state_key": ""})

    [_, second] = direct_rooms(scene)
    assert [said.body.split("\n")[0] for said in scene.said(second)] == [ASK_HERE]
    assert scene.said(first)[-1].body.startswith(CANNOT_READ)
    assert len(scene.said(first)) == 2


async def test_where_every_room_is_encrypted_the_notice_says_what_to_do(scene: Scene) -> None:
    scene.stub.encrypts_new_rooms = True

    await invited(scene, PERSON)

    said = notice(scene).body
    assert "invite me into a room without encryption" in said
    assert "ask the admin" in said
    assert direct_rooms(scene) == []


async def test_who_has_no_rights_gets_no_direct_chat(scene: Scene) -> None:
    seat(scene, STRANGER, MAIN)

    await scene.hear(cipher(scene, sender=STRANGER))

    assert "invite me into a room without encryption" in notice(scene).body
    assert direct_rooms(scene) == []


async def test_when_rooms_may_not_be_made_now_it_is_said_as_soon_as_they_may(
    scene: Scene,
) -> None:
    scene.stub.fail(
        Failure(
            method="POST",
            contains="/createRoom",
            status=429,
            errcode="M_LIMIT_EXCEEDED",
            more={"retry_after_ms": 40_000},
        )
    )
    await invited(scene, PERSON)
    assert scene.said() == []
    [waiting] = await query(
        scene.database, "SELECT run_at - lycatra_now() AS ms FROM turn WHERE state = 'queued'"
    )
    assert 30_000 < waiting["ms"] <= 40_000

    await query(scene.database, "UPDATE turn SET run_at = 0")
    await query(scene.database, "UPDATE lane SET ready_at = 0 WHERE ready_at IS NOT NULL")
    await scene.work()

    notice(scene)
    assert len(direct_rooms(scene)) == 1


async def test_a_crash_after_the_direct_chat_was_opened_opens_no_second(scene: Scene) -> None:
    failing = Failure(method="PUT", contains="/send/", status=502, raw=b"", times=1)
    scene.stub.fail(failing)
    await invited(scene, PERSON)
    await query(scene.database, "UPDATE turn SET run_at = 0 WHERE state <> 'done'")
    await query(scene.database, "UPDATE lane SET ready_at = 0 WHERE ready_at IS NOT NULL")
    await scene.work()

    notice(scene)
    [direct] = direct_rooms(scene)
    assert len(scene.said(direct)) == 1


async def test_a_lost_database_repeats_nothing(scene: Scene, tmp_path: Path) -> None:
    await invited(scene, PERSON)
    [direct] = direct_rooms(scene)
    scene.stub.forget_transactions()

    folder = tmp_path / "empty"
    folder.mkdir()
    async with open_scene(folder, beside=scene) as another:
        await another.hear(cipher(another))
        assert another.figures.unasked_ones["encrypted", "said"] == 2  # as far as it knows

    notice(scene)
    assert direct_rooms(scene) == [direct]
    assert len(scene.said(direct)) == 1


async def test_a_room_that_we_were_sent_away_from_is_explained_when_we_are_back(
    scene: Scene,
) -> None:
    seat(scene, PERSON, MAIN)
    await scene.push(cipher(scene))
    [(lease, turn)] = await scene.engine.store.claim(LaneKind.CONTROL, 1)
    await scene.runner.run(lease, turn, go_on=False)
    scene.stub.rooms[ROOM].members[MAIN] = "leave"
    await scene.rooms.drop(ROOM)
    await scene.work()
    assert scene.said() == []

    await invited(scene, PERSON)

    notice(scene)


async def test_a_message_that_only_looks_encrypted_changes_nothing(scene: Scene) -> None:
    seat(scene, PERSON, MAIN, is_encrypted=False)

    await scene.hear(cipher(scene))

    assert scene.said() == []
    assert direct_rooms(scene) == []
    assert (await scene.ask("!list updates"))[0].body


async def test_encryption_that_nobody_told_us_of_is_seen_with_the_first_message(
    scene: Scene,
) -> None:
    seat(scene, PERSON, MAIN, is_encrypted=False)
    await scene.rooms.view(ROOM)
    scene.stub.state[ROOM, "m.room.encryption", ""] = ENCRYPTION

    await scene.hear(cipher(scene))

    notice(scene)


async def test_a_room_that_we_are_not_in_is_left_alone(scene: Scene) -> None:
    seat(scene, PERSON)

    await scene.hear(cipher(scene))

    assert scene.said() == []
    assert set((await turn_states(scene.database)).values()) == {"done"}


async def test_a_virtual_user_that_was_invited_alone_gives_the_notice(scene: Scene) -> None:
    seat(scene, PERSON)
    scene.stub.rooms[ROOM].members[UPDATES] = "invite"
    scene.stub.state[ROOM, "m.room.member", UPDATES] = {"membership": "join"}

    await scene.hear(scene.member(UPDATES, "invite"))

    assert notice(scene).by == UPDATES
    [direct] = direct_rooms(scene)
    assert scene.said(direct)[0].by == MAIN


@pytest.mark.parametrize("chosen", [{"quiet": ["welcome", "hints"]}, {"language": "de"}])
async def test_it_is_said_in_the_rooms_language_however_quiet_the_room_is(
    scene: Scene, chosen: dict[str, Any]
) -> None:
    seat(scene, PERSON, MAIN)
    await query(
        scene.database,
        "INSERT INTO room_settings (room, chosen, set_by, at) VALUES (:room, :chosen, '@x:y', 0)",
        room=ROOM,
        chosen=json.dumps(chosen),
    )

    await scene.hear(cipher(scene))

    [said] = scene.said()
    in_german = "Verschlüsselte Räume kann ich noch nicht lesen"
    assert said.body.startswith(in_german if "language" in chosen else CANNOT_READ)


async def test_it_is_counted(scene: Scene) -> None:
    await invited(scene, PERSON)

    assert scene.figures.unasked_ones == {("encrypted", "said"): 2}  # there, and in the new room
