"""The whole endpoint over a scene: real gate, real approvals, on a port of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lycatra_appservice.mcp.calls import CALL_CHANNEL, CallStore
from lycatra_appservice.mcp.consent import Consent
from lycatra_appservice.mcp.documents import Documents
from lycatra_appservice.mcp.endings import Endings
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.ladder import ApprovalLadder
from lycatra_appservice.mcp.prompts import PromptDesk
from lycatra_appservice.mcp.resources import ResourceDesk
from lycatra_appservice.mcp.server import listen_handler, make_server
from lycatra_appservice.mcp.shared_hub import HUB_CHANNEL, SharedHub
from lycatra_appservice.mcp.tools import ToolDesk
from lycatra_appservice.model import EventID, UserID
from lycatra_appservice.turns.approvals import Approvals
from tests.support.mcp_served import KEY, Served, served
from tests.support.scene import Scene
from tests.support.turns import query


@dataclass(frozen=True)
class Desk:
    """A running endpoint. Tokens are names: `Bearer operator` is `@operator:hs.test`."""

    scene: Scene
    served: Served
    hub: SharedHub
    endings: Endings

    async def card(self, number: int = 0) -> str:
        """The code of an open approval, once its card is out."""
        while True:
            rows = await query(
                self.scene.database,
                "SELECT a.code FROM approval a JOIN send s ON s.turn_id = a.turn_id"
                " AND s.n = a.card_n WHERE s.event_id IS NOT NULL ORDER BY a.id",
            )
            if len(rows) > number:
                return str(rows[number]["code"])

    async def vote(self, code: str, voter: UserID, *, yes: bool = True) -> None:
        """Let somebody vote in Matrix."""
        approval = await Approvals(self.scene.database).by_code(code)
        assert approval is not None
        assert approval.card is not None
        assert approval.card_room is not None
        content = {
            "m.relates_to": {
                "rel_type": "m.annotation",
                "event_id": EventID(approval.card),
                "key": "👍" if yes else "👎",
            }
        }
        room_id = approval.card_room
        event = self.scene.event("m.reaction", content, sender=voter, room_id=room_id)
        await self.scene.push(event)


@asynccontextmanager
async def open_desk(
    scene: Scene, *, wait: timedelta = timedelta(seconds=30), by_clients: bool = True
) -> AsyncIterator[Desk]:
    """Serve the scene's tools."""
    ground, approving = scene.ground, scene.approving
    here = Here()
    hub = SharedHub(scene.database, here)
    scene.signals.listen(HUB_CHANNEL, hub.heard)
    calls = CallStore(scene.database)
    endings = Endings(calls)
    scene.signals.listen(CALL_CHANNEL, endings.heard)
    consent = Consent(
        approving.electorate, approving.votes, approving.judge, by_clients=by_clients
    )
    ladder = ApprovalLadder(calls, endings, Approvals(scene.database), consent, wait)
    settings = {each.name: each.settings() for each in ground.registry.namespaces}
    documents = Documents(ground.registry, settings, Path())
    server = make_server(
        ToolDesk(ground.gate, ground.registry, documents, ladder),
        ResourceDesk(ground.gate, documents, hub),
        PromptDesk(ground.gate, ground.registry, settings, documents),
        listen_handler(hub),
        [KEY],
        "Lycatra",
    )
    async with served(server, here=here, hub=hub, server_name="hs.test") as running:
        yield Desk(scene, running, hub, endings)
