"""Our transport on a port of its own, around whatever server a test brings."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import ClientResponse, ClientSession, web
from mcp.server.lowlevel.server import Server

from lycatra_appservice.mcp.addresses import Addresses
from lycatra_appservice.mcp.bearer import Bearer
from lycatra_appservice.mcp.body import Bodies
from lycatra_appservice.mcp.exchange import PING_SECONDS
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.hub import Hub, LocalHub
from lycatra_appservice.mcp.refusing import RefusedError
from lycatra_appservice.mcp.sessions import SessionIds
from lycatra_appservice.mcp.transport import McpTransport
from lycatra_appservice.model import JSON, Caller, Face, UserID

KEY = b"a key of thirty-two bytes or more"
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
MODERN = "2026-07-28"


async def by_name(request: web.Request, server_name: str = "example.org") -> Bearer:
    """Whoever says a name is that person; nobody is anna."""
    words = request.headers.get("Authorization", "Bearer anna").split()
    if words[-1] == "revoked":
        raise RefusedError(401, "no", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    person = UserID(f"@{words[-1]}:{server_name}")
    caller = Caller(user_id=person, face=Face.MCP)
    return Bearer(caller=caller, token_id=words[-1], name="a test")


@dataclass
class Served:
    """A transport that runs, and the process' registers behind it."""

    url: str
    here: Here
    hub: Hub
    session: ClientSession
    transport: McpTransport
    headers: dict[str, str] = field(default_factory=lambda: dict(HEADERS))

    async def post(self, message: JSON, **headers: str) -> ClientResponse:
        """POST a message; `headers` with _ for -, an empty one is left out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**self.headers, **named}
        kept = {name: value for name, value in sent.items() if value}
        data = message if isinstance(message, str | bytes) else None
        body = None if data is not None else message
        if body is None:
            return await self.session.post(self.url, data=data, headers=kept)
        kept.pop("Content-Type", None)
        return await self.session.post(self.url, json=body, headers=kept)

    async def modern(self, method: str, params: JSON = None, **headers: str) -> ClientResponse:
        """A right request of the revision of 2026."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        told = {**(params or {}), "_meta": {**meta, **(params or {}).get("_meta", {})}}
        name = told.get("name") or told.get("uri")
        routed = {"MCP_Protocol_Version": MODERN, "Mcp_Method": method}
        if name:
            routed["Mcp_Name"] = name
        return await self.post(request(method, told), **{**routed, **headers})

    async def initialised(self, version: str = "2025-11-25", **headers: str) -> str:
        """A session id of a handshake revision."""
        response = await self.post(
            request(
                "initialize",
                {
                    "protocolVersion": version,
                    "capabilities": {"elicitation": {}},
                    "clientInfo": {"name": "a test", "version": "1"},
                },
            ),
            **headers,
        )
        assert response.status == 200, await response.text()
        return response.headers["Mcp-Session-Id"]


def request(method: str, params: JSON = None, request_id: JSON = 1) -> dict[str, Any]:
    """A JSON-RPC request."""
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return message if params is None else {**message, "params": params}


@asynccontextmanager
async def served(
    server: Server[Any],
    *,
    hub: Hub | None = None,
    here: Here | None = None,
    keys: Sequence[bytes] = (KEY,),
    bodies: Bodies | None = None,
    hosts: Sequence[str] = (),
    server_name: str = "example.org",
    ping_seconds: float = PING_SECONDS,
) -> AsyncIterator[Served]:
    """Serve it on loopback."""
    here = here or Here()
    hub = hub or LocalHub(here)
    transport = McpTransport(
        server,
        identify=partial(by_name, server_name=server_name),
        addresses=Addresses(hosts),
        sessions=SessionIds(keys, time.time),
        here=here,
        hub=hub,
        bodies=bodies,
        ping_seconds=ping_seconds,
    )
    application = web.Application()
    application.add_routes(transport.routes())
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
        async with ClientSession() as session:
            yield Served(url, here, hub, session, transport)
    finally:
        await runner.cleanup()
