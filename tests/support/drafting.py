"""Answers that come along slowly, and what the room shows of them meanwhile."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from aiohttp import web

from lycatra_appservice.chat.draft import DraftTiming
from lycatra_appservice.matrix.events import LIVE_MARKER
from lycatra_appservice.model import RoomID
from tests.support.model_server import DONE, Asked, Reply, delta
from tests.support.scene import ROOM, Scene
from tests.support.turns import until_true

# Everything that is news is shown at once.
AT_ONCE = DraftTiming(after=timedelta(0), every=timedelta(0), queue_after=timedelta(0))

Step: TypeAlias = str | Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Shown:
    """One event that shows something of an answer, or all of it."""

    event_id: str
    sender: str
    text: str
    content: Mapping[str, Any]
    edits: str | None  # the event in whose place it stands

    @property
    def is_live(self) -> bool:
        return LIVE_MARKER in self.content


def shown(scene: Scene, room_id: RoomID = ROOM) -> Sequence[Shown]:
    """All messages of ours in a room with their edits, in the order in which they came."""
    found = []
    for event in scene.stub.rooms[room_id].events:
        if event["type"] != "m.room.message" or event["sender"] not in scene.users.all:
            continue
        content = event["content"]
        relation = content.get("m.relates_to", {})
        is_edit = relation.get("rel_type") == "m.replace"
        found.append(
            Shown(
                event["event_id"],
                event["sender"],
                str(content.get("m.new_content", content)["body"]),
                content,
                relation["event_id"] if is_edit else None,
            )
        )
    return found


def texts(scene: Scene, room_id: RoomID = ROOM) -> list[str]:
    """What they say."""
    return [each.text for each in shown(scene, room_id)]


def stands(scene: Scene, room_id: RoomID = ROOM) -> list[str]:
    """What somebody reads who comes now: each message as its last edit left it."""
    redacted = {
        event["content"].get("redacts")
        for event in scene.stub.rooms[room_id].events
        if event["type"] == "m.room.redaction"
    }
    last = {(each.edits or each.event_id): each.text for each in shown(scene, room_id)}
    return [text for event_id, text in last.items() if event_id not in redacted]


def is_nothing_live(scene: Scene, room_id: RoomID = ROOM) -> bool:
    """Whether no message looks as if somebody were still writing it."""
    redacted = {
        event["content"].get("redacts")
        for event in scene.stub.rooms[room_id].events
        if event["type"] == "m.room.redaction"
    }
    last = {(each.edits or each.event_id): each for each in shown(scene, room_id)}
    return not any(each.is_live for key, each in last.items() if key not in redacted)


async def reads(scene: Scene, words: str, room_id: RoomID = ROOM) -> None:
    """Wait until somebody who looks now reads this."""
    await until_true(lambda: any(words in text for text in stands(scene, room_id)))


def streams(*steps: Step) -> Reply:
    """A streamed answer: pieces of text, and what is waited for between them."""

    async def reply(asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(asked.request)
        for step in steps:
            if isinstance(step, str):
                await response.write(delta(content=step))
            else:
                await step()
        await response.write(delta("stop") + DONE)
        return response

    return reply
