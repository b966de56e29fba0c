"""A scene in which people ask for changes, and their votes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from lycatra_appservice.model import UserID
from lycatra_appservice.settings import Approvals
from tests.support.approving import LISTS, OPERATOR, Services, card_id, seat_people
from tests.support.scene import Scene, open_scene
from tests.unit.chat.revising import reaction


@asynccontextmanager
async def ruled(
    tmp_path: Path, services: Services, *, zone: str = "UTC", **rule: object
) -> AsyncIterator[Scene]:
    """A scene with an `approvals` section."""
    approvals = Approvals.model_validate(rule)
    async with open_scene(
        tmp_path, lists=LISTS, tools=services.tools(), approvals=approvals, zone=zone
    ) as opened:
        seat_people(opened)
        yield opened


async def vote(
    scene: Scene,
    key: str = "✅",
    *,
    by: UserID = OPERATOR,
    on: str | None = None,
    age: timedelta = timedelta(0),
) -> list[str]:
    """What we say after somebody's reaction to the last card."""
    event = reaction(scene, on or card_id(scene), key, sender=by, age=age)
    return [said.body for said in await scene.hear(event)]


def results(scene: Scene) -> list[str]:
    """The answers to requests, which are new messages."""
    return [
        said.body
        for said in scene.said()
        if said.content.get("org.lycatra.reply", {}).get("kind") == "message"
        and "m.new_content" not in said.content
    ]
