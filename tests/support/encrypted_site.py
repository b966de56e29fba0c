"""A Synapse that pushes keys, what our service is told for it, and what of it is in clear."""

import base64
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Final

from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.model import JSON, RoomID
from tests.support.secret_person import SecretPerson, SecretRoom, secret_person
from tests.support.site import Site
from tests.support.stage import Stage
from tests.support.tables import Tables
from tests.support.waiting import until

SECRET: Final = "an-encryption-secret-of-the-tests-0123456789"
PUSHES_KEYS: Final[Mapping[str, JSON]] = {
    "experimental_features": {
        "msc2409_to_device_messages_enabled": True,
        "msc3202_transaction_extensions": True,
    }
}
_SPEAKS_CLEAR: Final = frozenset({"m.room.encrypted", "m.room.redaction"})


class Phones:
    """Makes people with clients that encrypt; they end with the stack."""

    def __init__(self, stage: Stage, folder: Path, stack: AsyncExitStack) -> None:
        self._stage = stage
        self._folder = folder
        self._stack = stack

    async def new(
        self, person: PersonClient | None = None, device_id: str = "PHONE"
    ) -> SecretPerson:
        """A device of this person, or of a new one."""
        person = person or await self._stage.person()
        return await self._stack.enter_async_context(
            secret_person(self._stage, person, self._folder, device_id)
        )


async def until_devices_ready(stage: Stage, tables: Tables) -> None:
    """Wait until all our users have their devices, and none that is older."""

    async def are_ready() -> bool:
        rows = await tables.rows("SELECT user_id FROM crypto_account WHERE signed = 1")
        return len(rows) == len(stage.users.all)

    await until(are_ready, "devices of all our users")


def encryption(**more: JSON) -> Mapping[str, JSON]:
    """The section that makes encrypted rooms read."""
    return {"encryption": {"mode": "allow", "secret": SECRET, **more}}


def homeserver_events(site: Site, room_id: RoomID) -> Sequence[JSON]:
    """Every event of a room as it stands in the homeserver's own database."""
    path = site.homeserver.settings.folder / "homeserver.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as reader:
        rows = reader.execute(
            "SELECT j.json FROM event_json j JOIN events e ON e.event_id = j.event_id"
            " WHERE e.room_id = ? ORDER BY e.stream_ordering",
            (room_id,),
        )
        return [json.loads(row[0]) for row in rows]


def waiting_for_devices(stage: Stage) -> int:
    """How many messages between devices the homeserver still keeps for our users."""
    path = stage.site.homeserver.settings.folder / "homeserver.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as reader:
        rows = reader.execute("SELECT user_id FROM device_inbox")
        return sum(row[0] in stage.users.all for row in rows)


def said_in_clear(stage: Stage, room_id: RoomID) -> Sequence[JSON]:
    """What our users have sent there that is no state and could be read by the homeserver."""
    return [
        event
        for event in homeserver_events(stage.site, room_id)
        if event["sender"] in stage.users.all
        and "state_key" not in event
        and event["type"] not in _SPEAKS_CLEAR
    ]


def places_used_twice(stage: Stage, *room_ids: RoomID) -> Mapping[tuple[str, int], int]:
    """Places of sessions of ours in which more than one message stands."""
    places = Counter(
        (event["content"]["session_id"], place_of(event["content"]["ciphertext"]))
        for room_id in room_ids
        for event in homeserver_events(stage.site, room_id)
        if event["sender"] in stage.users.all
        and event["type"] == "m.room.encrypted"
        and "ciphertext" in event["content"]
    )
    return {place: times for place, times in places.items() if times > 1}


def place_of(ciphertext: str) -> int:
    """Where in its session a Megolm message stands (megolm.md, "message format")."""
    raw = base64.b64decode(ciphertext + "=" * (-len(ciphertext) % 4))
    assert raw[:2] == b"\x03\x08", "no Megolm message of version 3"
    place, shift = 0, 0
    for byte in raw[2:]:
        place |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return place
    raise AssertionError("the message ends in its number")


def is_secret(stage: Stage, *rooms: SecretRoom) -> bool:
    """Whether nothing of ours is in clear there, and no place was used twice; asserts both."""
    for room in rooms:
        assert said_in_clear(stage, room.room_id) == []
    assert places_used_twice(stage, *(room.room_id for room in rooms)) == {}
    return True


async def told(room: SecretRoom, words: str) -> bool:
    """Whether somebody has said this there."""
    return any(words in str(event.get("content")) for event in await room.events())


def pushed_in_vain(stage: Stage) -> int:
    """How many pushes the homeserver keeps to try them again."""
    path = stage.site.homeserver.settings.folder / "homeserver.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as reader:
        row = reader.execute("SELECT count(*) FROM application_services_txns").fetchone()
        return int(row[0])
