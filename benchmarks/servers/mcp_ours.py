"""Our endpoint with all that stands before a tool: token, pace, rights, gate, audit, metrics."""

import asyncio
import logging
import time
from pathlib import Path

from aiohttp import web
from mcp_types import CallToolRequestParams

from benchmarks.mcp_load import OWNER, SERVER_NAME
from benchmarks.servers.serving import arguments, serve
from lycatra_appservice.audit.trail import AuditTrail
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.mcp.addresses import Addresses
from lycatra_appservice.mcp.bearer import Bearer
from lycatra_appservice.mcp.documents import Documents
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.identity import TokenIdentities
from lycatra_appservice.mcp.pace import Pace
from lycatra_appservice.mcp.prompts import PromptDesk
from lycatra_appservice.mcp.resources import ResourceDesk
from lycatra_appservice.mcp.server import listen_handler, make_server
from lycatra_appservice.mcp.sessions import SessionIds
from lycatra_appservice.mcp.shared_hub import SharedHub
from lycatra_appservice.mcp.tokens import NewToken, TokenStore
from lycatra_appservice.mcp.tools import Answer, AnyContext, ToolDesk
from lycatra_appservice.mcp.transport import McpTransport
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.ops.logs import LogFormat, configure_logging
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.approvals import NeedsApprovalError
from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.toolkit.toolbox import Gate
from tests.support.toolbench import EchoArgs, Lists, a_tool, bench, echo

KEYS = (b"a key of thirty-two bytes or more",)


class NoLadder:
    """Nothing here changes anything."""

    async def climb(
        self,
        context: AnyContext,
        bearer: Bearer,
        params: CallToolRequestParams,
        needed: NeedsApprovalError,
    ) -> Answer:
        """Never."""
        raise needed


class NoRooms:
    """No token here is bound to one."""

    async def joined(self, room_id: RoomID) -> frozenset[UserID]:
        """Nobody."""
        return frozenset()


async def _main(port: int, folder: str) -> None:
    configure_logging(level="INFO", log_format=LogFormat.JSON, replica="bench", secrets=[])
    logging.getLogger("aiohttp.access").disabled = True
    tool = a_tool(name="echo", run=echo, args=EchoArgs)
    namespace = Namespace(name="bench", display_name="Bench", summary="Says what it is told.")
    registry = Registry([namespace], {"bench": [tool]})
    opened = await open_database(f"sqlite:///{Path(folder) / f'mcp-{port}.db'}")
    await migrate(opened.database)
    tokens = TokenStore(opened.database)
    secret = await tokens.make(NewToken(owner=UserID(OWNER), name="bench"))
    await asyncio.to_thread(Path(folder, f"mcp-{port}.token").write_text, secret)
    rights = Rights(Access(Lists(viewer=[f"*:{SERVER_NAME}"])))
    async with AuditTrail(opened.database) as trail, bench(registry=registry) as at:
        gate = Gate(registry, rights, at.contexts, Metrics(["echo"]), trail)
        here = Here()
        hub = SharedHub(opened.database, here)
        documents = Documents(registry, {"bench": None}, Path())
        server = make_server(
            ToolDesk(gate, registry, documents, NoLadder()),
            ResourceDesk(gate, documents, hub),
            PromptDesk(gate, registry, {}, documents),
            listen_handler(hub),
            KEYS,
            "Bench",
        )
        transport = McpTransport(
            server,
            identify=TokenIdentities(tokens, NoRooms(), rights, Pace(1_000_000_000)).of,
            addresses=Addresses(),
            sessions=SessionIds(KEYS, time.time),
            here=here,
            hub=hub,
        )
        application = web.Application()
        application.add_routes(transport.routes())
        await serve(application, port)
    await opened.database.close()


if __name__ == "__main__":
    asyncio.run(_main(*arguments()))
