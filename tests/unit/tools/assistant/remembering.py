"""A room in which facts and reminders are told."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.toolkit.base import Tool
from lycatra_appservice.tools.assistant.recall import TOOL as RECALL
from lycatra_appservice.tools.assistant.remember import TOOL as REMEMBER
from lycatra_appservice.tools.assistant.remind_me import TOOL as REMIND_ME
from tests.support.scene import EVERYBODY, PERSON, ROOM, TOOLS, Scene, open_scene

REMEMBERING: Final[Mapping[str, Sequence[Tool[Any]]]] = {
    **TOOLS,
    "assistant": [*TOOLS["assistant"], REMEMBER, RECALL, REMIND_ME],
}


@asynccontextmanager
async def open_remembering(folder: Path, **more: Any) -> AsyncIterator[Scene]:
    """A scene with these tools; `more` as for `open_scene`."""
    async with open_scene(folder, tools=REMEMBERING, **more) as scene:
        scene.seat(*EVERYBODY)
        yield scene


async def said(scene: Scene, words: str, sender: UserID = PERSON, room_id: RoomID = ROOM) -> str:
    """The one answer to a command."""
    before = len(scene.said(room_id))
    await scene.ask(words, sender=sender, room_id=room_id)
    [answer] = scene.said(room_id)[before:]
    return answer.body
