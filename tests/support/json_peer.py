"""A peer on this machine that answers with JSON, or as a test wants it to."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.model import JSON


@dataclass(slots=True)
class JsonPeer:
    """Answers everything with `document`, or as `instead` does; `asked` has paths as they came."""

    document: JSON = None
    instead: Callable[[web.Request], web.StreamResponse] | None = None
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        self.headers.append(dict(request.headers))
        return self.instead(request) if self.instead else web.json_response(self.document)


@asynccontextmanager
async def open_json_peer() -> AsyncIterator[JsonPeer]:
    """Serve every path."""
    peer = JsonPeer()
    app = web.Application()
    app.router.add_get("/{rest:.*}", peer.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        peer.url = str(server.make_url("")).rstrip("/")
        yield peer
