"""`/mcp`: both protocol eras on one address, natively on aiohttp, over the SDK's kernel.

POST    Host, Origin ─► token ─► pace ─► body ─► the era's leg ─► kernel ─► JSON or events
GET     the stream of a session of the handshake revisions
DELETE  the end of such a session

The era is told by the header MCP-Protocol-Version: absent or of a handshake revision is the old
one, all else the new, whose own rules then refuse what is unknown.
"""

import asyncio
from collections.abc import Awaitable, Callable, Container, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from aiohttp import web
from mcp_types import PROTOCOL_VERSION_META_KEY
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from lycatra_appservice.mcp.addresses import Addresses
from lycatra_appservice.mcp.bearer import BEARER, Bearer
from lycatra_appservice.mcp.body import Bodies
from lycatra_appservice.mcp.exchange import PING_SECONDS
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.hub import Hub
from lycatra_appservice.mcp.kernel import AnyServer, Kernel
from lycatra_appservice.mcp.legacy import LegacyLeg
from lycatra_appservice.mcp.listening import Listening
from lycatra_appservice.mcp.modern import VERSION_HEADER, ModernLeg
from lycatra_appservice.mcp.refusing import RefusedError
from lycatra_appservice.mcp.sessions import SessionIds
from lycatra_appservice.model import JSON

PATH: Final = "/mcp"
_GONE: Final = 499  # as nginx has it
_JSON: Final = ("application/json", "application/*", "*/*")
_EVENTS: Final = ("text/event-stream", "text/*", "*/*")


class McpTransport:
    """The routes of the endpoint."""

    def __init__(
        self,
        server: AnyServer,
        *,
        identify: Callable[[web.Request], Awaitable[Bearer]],
        addresses: Addresses,
        sessions: SessionIds,
        here: Here,
        hub: Hub,
        bodies: Bodies | None = None,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        """`identify` tells whose request it is, or raises RefusedError.

        A stream that has said nothing for `ping_seconds` gets a comment.
        """
        kernel = Kernel(server)
        self._identify = identify
        self._addresses = addresses
        self._bodies = bodies or Bodies()
        self._here = here
        self._hub = hub
        self._legacy = LegacyLeg(kernel, sessions, here, hub, ping_seconds)
        self._modern = ModernLeg(kernel, here, ping_seconds)
        self._listening = Listening(here, hub, ping_seconds)

    def routes(self) -> Sequence[web.RouteDef]:
        """For the main listener."""
        return [web.route("*", PATH, self._called)]

    async def drain(self, span: timedelta) -> None:
        """End the streams of listeners, and give calls under way this long to end."""
        self._here.close_streams()
        with suppress(TimeoutError):
            async with asyncio.timeout(span.total_seconds()):
                await self._here.idle.wait()

    async def _called(self, request: web.Request) -> web.StreamResponse:
        try:
            self._addresses.check(request)
            _refuse_token_in(request.query)
            request[BEARER] = await self._identify(request)
            return await self._answered(request)
        except RefusedError as refused:
            return refused.response()
        except ConnectionError:
            if not _has_gone(request):
                raise
            return web.Response(status=_GONE)  # nobody reads it; for the log of requests

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        match request.method:
            case "POST":
                return await self._post(request)
            case "GET":
                return await self._get(request)
            case "DELETE":
                return await self._delete(request)
            case _:
                raise RefusedError(405, "only POST", headers={"Allow": "POST, GET, DELETE"})

    async def _post(self, request: web.Request) -> web.StreamResponse:
        if not (_accepts(request, _JSON) and _accepts(request, _EVENTS)):
            raise RefusedError(
                406, "Accept must have application/json and text/event-stream, or */*"
            )
        message = await self._bodies.read(request)
        if _is_modern(request, message):
            return await self._modern.post(request, message)
        return await self._legacy.post(request, message)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        self._refuse_modern(request)
        if not _accepts(request, _EVENTS):
            raise RefusedError(406, "Accept must have text/event-stream")
        return await self._listening.stream(request, await self._legacy.session(request))

    async def _delete(self, request: web.Request) -> web.Response:
        self._refuse_modern(request)
        await self._hub.revoke(await self._legacy.session(request))
        return web.Response(status=200)

    @staticmethod
    def _refuse_modern(request: web.Request) -> None:
        if _is_modern(request, {}):
            raise RefusedError(405, "this revision has POST only", headers={"Allow": "POST"})


def _has_gone(request: web.Request) -> bool:
    """Whether the client itself is what was lost, not a database or the like."""
    return request.transport is None or request.transport.is_closing()


def _is_modern(request: web.Request, message: dict[str, JSON]) -> bool:
    version = request.headers.get(VERSION_HEADER)
    if version is not None:
        return version not in HANDSHAKE_PROTOCOL_VERSIONS
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    # Its envelope without its header: the new era's own rules say what is missing.
    return isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta


def _accepts(request: web.Request, kinds: Sequence[str]) -> bool:
    accept = request.headers.get("Accept", "*/*")
    named = {part.split(";", 1)[0].strip().lower() for part in accept.split(",")}
    return not named.isdisjoint(kinds)


def _refuse_token_in(query: Container[str]) -> None:
    """Addresses end up in logs and histories."""
    if "access_token" in query or "token" in query:
        raise RefusedError(400, "a token belongs into the Authorization header")
