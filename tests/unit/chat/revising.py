"""Edits, redactions and reactions as they are pushed, and what is left of them in the tables."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lycatra_appservice.db.connection import Database
from lycatra_appservice.model import JSON, LaneKind, UserID
from tests.support.scene import PERSON, ROOM, Scene
from tests.support.turns import everything, query

NOW_MS = 1_700_000_000_000


def edit(
    scene: Scene,
    event: Mapping[str, JSON],
    body: str,
    *,
    sender: UserID = PERSON,
    age: timedelta = timedelta(0),
    **content: JSON,
) -> dict[str, JSON]:
    """An edit of a message, as clients write it."""
    new = {"msgtype": "m.text", "body": body, "m.mentions": {}, **content}
    relation = {"rel_type": "m.replace", "event_id": event["event_id"]}
    whole = {
        "msgtype": "m.text",
        "body": f"* {body}",
        "m.mentions": {},
        "m.new_content": new,
        "m.relates_to": relation,
    }
    made = scene.event("m.room.message", whole, sender=sender, room_id=event["room_id"], age=age)
    return {**made, "origin_server_ts": event.get("origin_server_ts", NOW_MS) + 1000}


def redaction(
    scene: Scene, event_id: str, *, sender: UserID = PERSON, inside: bool = True
) -> dict[str, JSON]:
    """A redaction; `inside` as since room version 11."""
    if inside:
        return scene.event("m.room.redaction", {"redacts": event_id}, sender=sender)
    made = scene.event("m.room.redaction", {"reason": "spam"}, sender=sender)
    return {**made, "redacts": event_id}


def reaction(
    scene: Scene,
    event_id: str,
    key: str,
    *,
    sender: UserID = PERSON,
    age: timedelta = timedelta(0),
) -> dict[str, JSON]:
    """A reaction to something."""
    relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
    return scene.event("m.reaction", {"m.relates_to": relation}, sender=sender, age=age)


def on_the_homeserver(scene: Scene, event: Mapping[str, JSON], **more: JSON) -> None:
    """Have the homeserver know an event that was pushed, or never was."""
    scene.stub.rooms[ROOM].events.append({"origin_server_ts": NOW_MS, **event, **more})


def taken_back_there(scene: Scene, event_id: str) -> None:
    """What a redaction leaves of an event on the homeserver."""
    for event in scene.stub.rooms[ROOM].events:
        if event["event_id"] == event_id:
            event["content"] = {}
            event["unsigned"] = {"redacted_because": {"type": "m.room.redaction"}}


def take_back(
    scene: Scene, event: Mapping[str, JSON], *, sender: UserID = PERSON
) -> dict[str, JSON]:
    """Have the homeserver follow a redaction, and return it."""
    if all(each["event_id"] != event["event_id"] for each in scene.stub.rooms[ROOM].events):
        on_the_homeserver(scene, event)
    taken_back_there(scene, event["event_id"])
    return redaction(scene, event["event_id"], sender=sender)


async def work_off(scene: Scene, kind: LaneKind) -> None:
    """Run the turns of one kind, and no others."""
    while claimed := await scene.engine.store.claim(kind, 9):
        for lease, turn in claimed:
            await scene.runner.run(lease, turn, go_on=False)


async def hurry(scene: Scene) -> None:
    """Do what is to be tried later now."""
    await query(scene.database, "UPDATE turn SET run_at = 0")
    await query(scene.database, "UPDATE lane SET ready_at = 0 WHERE ready_at > 0")
    await scene.work()


async def all_texts(database: Database) -> str:
    """Everything that is written in any table."""
    tables = await query(database, "SELECT name FROM sqlite_master WHERE type = 'table'")
    rows = [await query(database, f"SELECT * FROM {table['name']}") for table in tables]  # noqa: S608 (names of our tables)
    return str(rows) + str(await everything(database))


async def turn_row(scene: Scene, trigger_id: str) -> Mapping[str, Any]:
    """The turn of a trigger."""
    [row] = await query(
        scene.database, "SELECT * FROM turn WHERE trigger_id = :trigger", trigger=trigger_id
    )
    return row


async def stored_triggers(scene: Scene) -> list[str]:
    """The trigger ids of all turns."""
    rows = await query(scene.database, "SELECT trigger_id FROM turn ORDER BY id")
    return [row["trigger_id"] for row in rows]
