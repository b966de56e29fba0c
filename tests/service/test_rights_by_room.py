"""Rights that rest on a room, on a real homeserver."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.model import JSON
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.waiting import until


async def told(room: Room, person: PersonClient, words: str) -> str:
    """What this person is told who writes that."""
    asked = await person.send_text(room.room_id, words)
    return str((await room.answer_to(asked))["content"]["body"])


async def a_member(stage: Stage, room: Room) -> PersonClient:
    """Somebody who joins now."""
    member = await stage.person()
    await room.person.invite(room.room_id, member.user_id)
    await member.join(room.room_id)
    return member


async def set_power(room: Room, person: PersonClient, power: int) -> None:
    path = f"/rooms/{room.room_id}/state/m.room.power_levels"
    levels = await room.person.call("GET", path)
    levels["users"][person.user_id] = power
    await room.person.call("PUT", path, levels)


@pytest.mark.slow
async def test_a_power_level_that_is_lowered_takes_the_right_away_at_once(
    stage: Stage, tmp_path: Path
) -> None:
    rules: JSON = [{"tools": ["list_updates"], "who": ["power:50"]}]
    replica = await stage.replica(sqlite_in(tmp_path), more={"permissions": rules})
    await replica.start()
    room = await stage.room()
    member = await a_member(stage, room)

    ordinary = await told(room, member, "!list updates")
    await set_power(room, member, 50)
    as_moderator = await told(room, member, "!list updates")
    await set_power(room, member, 49)
    lowered = await told(room, member, "!list updates")
    by_creator = await told(room, room.person, "!list updates")

    for refused in (ordinary, lowered):
        assert "is kept for certain people" in refused
        assert "people with power level 50 here" in refused
    for shown in (as_moderator, by_creator):
        assert "kept for" not in shown
        assert "Lycatra" in shown


@pytest.mark.slow
async def test_members_of_a_named_room_have_their_right_in_it_and_lose_it_with_it(
    stage: Stage, tmp_path: Path
) -> None:
    person = await stage.person()
    named = Room(await person.create_room("named", invite=()), person)
    access: Mapping[str, JSON] = {"viewer": [f"room:{named.room_id}"]}
    replica = await stage.replica(sqlite_in(tmp_path), more={"access": access})
    await replica.start()
    await person.invite(named.room_id, stage.users.main)
    await person.wait_for_member(named.room_id, stage.users.main)
    member = await a_member(stage, named)

    assert "no rights" not in await told(named, member, "!help")
    assert f"room:{named.room_id}" in await told(named, member, "!whoami")
    await member.call("POST", f"/rooms/{named.room_id}/leave", {})
    direct = await member.create_room("direct", invite=[stage.users.main])
    left = await until_left(member, stage, direct)

    assert left == "leave"


async def until_left(person: PersonClient, stage: Stage, room_id: str) -> str:
    """What became of our user in a room that it was invited into."""
    found: list[str] = []

    async def decided() -> bool:
        path = f"/rooms/{room_id}/state/m.room.member/{stage.users.main}"
        membership = (await person.call("GET", path))["membership"]
        found.append(membership)
        return bool(membership != "invite")

    await until(decided, "the answer to an invitation")
    return found[-1]
