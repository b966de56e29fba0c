"""Edits and redactions of a person's client, and what is left to read after them."""

import json
from collections.abc import Sequence

from lycatra_appservice.model import EventID
from tests.support.stage import Room
from tests.support.tables import Tables


async def edit(room: Room, question: EventID, text: str) -> EventID:
    """Change a message as clients do."""
    content = {
        "msgtype": "m.text",
        "body": f"* {text}",
        "m.mentions": {},
        "m.new_content": {"msgtype": "m.text", "body": text, "m.mentions": {}},
        "m.relates_to": {"rel_type": "m.replace", "event_id": question},
    }
    return await room.person.send_event(room.room_id, "m.room.message", content)


async def answers_to(room: Room, event_id: str) -> Sequence[str]:
    """What we have said to it and is still there to read."""
    return [
        event["content"]["body"]
        for event in await room.events()
        if (event["content"].get("org.lycatra.reply") or {}).get("to") == event_id
        and event["type"] == "m.room.message"
    ]


async def readable(tables: Tables) -> str:
    """Every text in every table."""
    names = await tables.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    return str([await tables.rows(f"SELECT * FROM {row['name']}") for row in names])  # noqa: S608 (names of our tables)


async def in_the_room(room: Room) -> str:
    return json.dumps(await room.events())


async def until_forgotten(tables: Tables, redacted: str) -> None:
    await tables.until_state(f"forget:{redacted}", "done")


async def until_ended(tables: Tables, event_id: str) -> None:
    await tables.until_state(event_id, "done", "cancelled", "failed")
