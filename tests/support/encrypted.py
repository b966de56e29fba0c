"""Rooms that we cannot read, as a person makes and uses them, and what we said there."""

import json
import secrets
from collections.abc import Sequence
from typing import Final

from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.model import JSON, RoomID
from tests.support.stage import Room, Stage
from tests.support.tables import Tables
from tests.support.waiting import until

ENCRYPTION: Final[dict[str, JSON]] = {"algorithm": "m.megolm.v1.aes-sha2"}
CIPHER: Final[dict[str, JSON]] = {
    **ENCRYPTION,
    "ciphertext": "AwgAEnACgAkLmt6qF84IK++J7UDH2Za1YVchHyprqTqsg",
    "device_id": "RJYKSTBOIE",
    "sender_key": "IlRMeOPX2e0MurIyfWEucYBRVOEEUMrOHqn/8mLqMjA",
    "session_id": "X3lUlvLELLYxeTx4yOVu6UDpasGEVO0Jbu+QFnm0cKQ",
}
FROM_THE_START: Final = {
    "initial_state": [{"type": "m.room.encryption", "state_key": "", "content": ENCRYPTION}]
}
CANNOT_READ = "I cannot read encrypted rooms yet"


async def encrypted_room(stage: Stage, person: PersonClient, *, is_direct: bool = True) -> Room:
    return await stage.room(person, others=0 if is_direct else 1, extra=FROM_THE_START)


async def encrypt(room: Room) -> None:
    path = f"/rooms/{room.room_id}/state/m.room.encryption/"
    await room.person.call("PUT", path, ENCRYPTION)


async def whisper(room: Room) -> str:
    return await room.person.send_event(room.room_id, "m.room.encrypted", CIPHER)


async def direct_chats(person: PersonClient) -> Sequence[RoomID]:
    """Unencrypted rooms that somebody is invited to, or has accepted."""
    # Synapse keeps the answer to an initial sync for minutes; only a filter never used before
    # gets a new one.
    only = {"room": {"not_rooms": [f"!{secrets.token_hex(8)}:elsewhere.example"]}}
    answer = await person.call("GET", "/sync", query={"filter": json.dumps(only)})
    return [RoomID(room) for room in answer.get("rooms", {}).get("invite", {})]


def ours(stage: Stage, events: Sequence[JSON]) -> Sequence[JSON]:
    """Everything that we sent into a room, apart from coming in."""
    return [
        event
        for event in events
        if event["sender"] in stage.users.all and event["type"] != "m.room.member"
    ]


async def only_the_notice(stage: Stage, room: Room, tables: Tables) -> str:
    """Wait for the notice, and for everything that could follow; the words of it."""

    async def said() -> bool:
        return bool(ours(stage, await room.events()))

    await until(said, f"a notice in {room.room_id}")
    await tables.until_idle()
    found = ours(stage, await room.events())
    kinds = [event["type"] for event in found if event["type"] != "io.element.functional_members"]
    assert kinds == ["m.room.message"]
    [notice] = [event for event in found if event["type"] == "m.room.message"]
    assert notice["content"]["body"].startswith(CANNOT_READ)
    return str(notice["content"]["body"])


async def opened_for(stage: Stage, person: PersonClient, tables: Tables) -> Room:
    """The one direct chat that somebody was invited to, accepted."""

    async def invited() -> bool:
        return bool(await direct_chats(person))

    await until(invited, f"an invitation of {person.user_id}")
    await tables.until_idle()
    [room_id] = await direct_chats(person)
    await person.join(room_id)
    room = Room(room_id, person)
    events = await room.events()
    assert not [event for event in events if event["type"] == "m.room.encryption"]
    return room


async def first_words(stage: Stage, room: Room) -> str:
    [said] = [
        event for event in ours(stage, await room.events()) if event["type"] == "m.room.message"
    ]
    return str(said["content"]["body"])
