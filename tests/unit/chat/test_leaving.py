"""When our users leave rooms, and when they stay."""

import pytest

from lycatra_appservice.model import RoomID, UserID
from tests.support.scene import (
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    SERVICES,
    STRANGER,
    UPDATES,
    Scene,
)
from tests.support.turns import query
from tests.unit.chat.rooms_of_tests import goes, here, reasons

BOT = UserID("@bot:elsewhere.org")


async def test_when_the_last_person_goes_we_all_go(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN, UPDATES)
    await scene.rooms.view(ROOM)

    await goes(scene, PERSON)
    assert here(scene) == {MAIN, UPDATES}
    await goes(scene, OTHER, "ban", by=PERSON)

    assert here(scene) == set()
    assert [seen.user for seen in scene.stub.asked("POST", "/leave")] == [UPDATES, MAIN]


@pytest.mark.parametrize("others", ["invited", "another bot"])
async def test_somebody_who_may_still_come_or_is_somebodys_bot_keeps_us(
    scene: Scene, others: str
) -> None:
    scene.seat(PERSON, MAIN, *([BOT] if others == "another bot" else []))
    await scene.rooms.view(ROOM)
    if others == "invited":
        await scene.hear(scene.member(OTHER, "invite"))

    await goes(scene, PERSON)
    assert here(scene) == {MAIN}

    await goes(scene, OTHER if others == "invited" else BOT, before="invite")
    assert here(scene) == set()


async def test_a_room_deserted_while_we_were_away_is_left(scene: Scene) -> None:
    scene.seat(PERSON, MAIN, UPDATES)
    await scene.rooms.view(ROOM)

    await goes(scene, PERSON, via="sync")

    assert here(scene) == set()


async def test_a_room_that_is_found_deserted_when_it_is_read_is_left(scene: Scene) -> None:
    scene.seat(MAIN, UPDATES)
    scene.stub.state[ROOM, "m.room.member", PERSON] = {"membership": "leave"}

    await scene.rooms.view(ROOM)
    await scene.work()

    assert here(scene) == set()


@pytest.mark.parametrize("membership", ["join", "invite"])
async def test_a_room_is_not_left_for_a_push_that_was_lost(scene: Scene, membership: str) -> None:
    scene.seat(PERSON, MAIN)
    await scene.rooms.view(ROOM)
    # We are never told of this one.
    scene.stub.rooms[ROOM].members[OTHER] = membership
    scene.stub.state[ROOM, "m.room.member", OTHER] = {"membership": membership}

    await goes(scene, PERSON)

    assert here(scene) == {MAIN}
    assert list((await scene.rooms.view(ROOM)).people) == [OTHER]
    await goes(scene, OTHER)
    assert here(scene) == set()


async def test_who_was_banned_does_not_keep_us(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN)
    await scene.rooms.view(ROOM)

    await goes(scene, OTHER, "ban", by=PERSON)
    await goes(scene, PERSON)

    assert here(scene) == set()


async def test_our_own_room_is_never_left(scene: Scene) -> None:
    scene.seat(MAIN)
    scene.stub.aliases["#lycatra_control:hs.test"] = ROOM
    await scene.rooms.view(ROOM)
    await scene.work()
    # A curious admin of the homeserver, for example.
    await goes(scene, PERSON, "join")

    await goes(scene, PERSON)
    await scene.rooms.drop(ROOM)
    await scene.rooms.view(ROOM)
    await scene.work()

    assert here(scene) == {MAIN}
    assert scene.stub.asked("POST", "/leave") == []


@pytest.mark.parametrize("membership", ["leave", "ban"])
@pytest.mark.parametrize("via", ["push", "sync"])
async def test_who_sends_lycatra_away_gets_rid_of_all_of_us(
    scene: Scene, membership: str, via: str
) -> None:
    scene.seat(PERSON, OTHER, MAIN, UPDATES, SERVICES)
    await scene.rooms.view(ROOM)

    await goes(scene, MAIN, membership, by=PERSON, via=via)

    assert here(scene) == set()
    assert all("I only came along with" in (reason or "") for reason in reasons(scene))
    assert len(reasons(scene)) == 2
    assert scene.stub.asked("POST", "/join/") == []


async def test_an_invitation_taken_back_sends_nobody_away(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, UPDATES)
    await scene.rooms.view(ROOM)

    await goes(scene, MAIN, by=PERSON, before="invite")

    assert here(scene) == {UPDATES}


async def test_a_refusal_by_lycatra_itself_sends_nobody_away(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, STRANGER, UPDATES)
    await scene.rooms.view(ROOM)

    await goes(scene, MAIN, before="invite")

    assert here(scene) == {UPDATES}


async def test_who_was_sent_away_does_not_answer_any_more(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN, UPDATES)
    await scene.rooms.view(ROOM)
    await goes(scene, UPDATES, by=PERSON)

    [answer] = await scene.ask("!list updates")

    assert answer.by == MAIN
    assert here(scene) == {MAIN}


async def test_a_room_whose_people_come_and_go_at_once_is_not_left(scene: Scene) -> None:
    scene.seat(PERSON, MAIN)
    await scene.rooms.view(ROOM)
    gone, come = scene.member(PERSON, "leave"), scene.member(OTHER, "join", sender=OTHER)

    await scene.hear(gone, come)

    assert here(scene) == {MAIN}


async def test_where_nobody_of_us_may_speak_an_answer_is_given_up_at_once(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN, UPDATES)
    scene.stub.rooms[ROOM].silenced = {MAIN, UPDATES}

    await scene.hear(scene.message("!list updates"))

    sent = [seen.user for seen in scene.stub.asked("PUT", "/send/m.room.message")]
    assert sent == [UPDATES, MAIN]
    assert scene.figures.dropped == {"room_lost": 1}
    assert scene.figures.outcomes == ["done"]


# What is pushed together


async def test_who_comes_into_a_dm_and_speaks_in_the_same_push_makes_it_a_group(
    scene: Scene,
) -> None:
    scene.seat(PERSON, MAIN)
    await scene.rooms.view(ROOM)
    words = scene.message("is it raining", sender=OTHER)

    assert await scene.hear(scene.member(OTHER, "join", sender=OTHER), words) == []


async def test_a_room_is_encrypted_from_the_push_that_says_so(scene: Scene) -> None:
    scene.seat(PERSON, MAIN, UPDATES)
    await scene.rooms.view(ROOM)
    locked = {**scene.event("m.room.encryption", {"algorithm": "x"}), "state_key": ""}

    await scene.push(scene.message("!list updates"), locked)
    [row] = await query(scene.database, "SELECT encrypted FROM room WHERE id = :id", id=ROOM)
    assert row["encrypted"] == 1
    await scene.work()

    assert all("3 updates" not in said.body for said in scene.said())


async def test_state_that_cannot_be_kept_never_holds_up_a_push(scene: Scene) -> None:
    scene.seat(PERSON, MAIN)
    await scene.rooms.view(ROOM)
    deep: object = {}
    for _ in range(500):
        deep = {"a": deep}
    odd = [
        ("m.room.power_levels", {"users": {"\0": deep}}),
        ("m.room.name", {"name": "\0\ud800"}),
        ("m.room.member", {"membership": "\0"}),
        ("m.room.tombstone", {"replacement_room": "!" + "x" * 999}),
        ("m.room.join_rules", {"join_rule": deep}),
    ]
    events = [{**scene.event(kind, content), "state_key": ""} for kind, content in odd]

    await scene.push(*events)
    await scene.work()

    assert (await scene.rooms.view(RoomID(ROOM))).people == {PERSON: "Person"}
