"""The handshake revisions, 2024-11-05 to 2025-11-25: sessions, and questions to the client.

A request without session and without protocol header, as people type it with curl, is answered
as if it stood alone, where that is possible.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from aiohttp import web
from mcp.server.context import ServerRequestContext
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp_types.version import LATEST_HANDSHAKE_VERSION

from lycatra_appservice.mcp.bearer import BEARER
from lycatra_appservice.mcp.channel import Asking, Channel
from lycatra_appservice.mcp.exchange import Exchange
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.hub import Hub
from lycatra_appservice.mcp.kernel import Kernel, enveloped, greeting
from lycatra_appservice.mcp.message import checked_request, is_answer, is_notification
from lycatra_appservice.mcp.modern import VERSION_HEADER
from lycatra_appservice.mcp.refusing import RefusedError
from lycatra_appservice.mcp.sessions import Session, SessionIds
from lycatra_appservice.mcp.wire import notification
from lycatra_appservice.model import JSON

SESSION_HEADER: Final = "Mcp-Session-Id"
SESSION: Final = web.RequestKey("session", Session)
_ALONE: Final = ("tools/", "resources/", "prompts/", "completion/", "ping")
_NOT_ALONE: Final = frozenset({"resources/subscribe", "resources/unsubscribe"})
_CANCELLED: Final = "notifications/cancelled"


def session_of(context: ServerRequestContext[Any, Any]) -> Session:
    """In which session a handler answers; there is one wherever the method needs one."""
    return cast("web.Request", context.request)[SESSION]


class LegacyLeg:
    """Answers their POST requests."""

    def __init__(
        self, kernel: Kernel, ids: SessionIds, here: Here, hub: Hub, ping_seconds: float
    ) -> None:
        self._ping_seconds = ping_seconds
        self._kernel = kernel
        self._ids = ids
        self._here = here
        self._hub = hub

    async def post(self, request: web.Request, message: dict[str, JSON]) -> web.StreamResponse:
        """Answer a message. Raises RefusedError."""
        if message.get("method") == "initialize":
            return await self._greet(request, message)
        if SESSION_HEADER not in request.headers:
            return await self._alone(request, message)
        session = await self.session(request)
        if is_answer(message):
            await self._hub.answer(session, message.get("id"), message)
            return web.Response(status=202)
        if is_notification(message):
            return await self._told(request, message, session)
        return await self._answer(request, message, session)

    async def session(self, request: web.Request) -> Session:
        """The session that a request belongs to. Raises RefusedError."""
        text = request.headers.get(SESSION_HEADER)
        if text is None:
            raise RefusedError(400, f"the header {SESSION_HEADER} is missing")
        session = self._ids.read(text, request[BEARER].principal)
        if session is None or await self._hub.is_revoked(session):
            raise RefusedError(404, "there is no such session (any more); initialize again")
        request[SESSION] = session
        return session

    async def _greet(self, request: web.Request, message: dict[str, JSON]) -> web.StreamResponse:
        request_id, method, params = checked_request(message)
        connection = greeting(_Nowhere())
        channel = Channel(request, request_id, None)
        exchange = self._exchange(request, request_id, channel)
        headers: dict[str, str] = {}

        async def greet() -> dict[str, Any]:
            result = await self._kernel.request(connection, channel, method, params)
            told = params or {}
            text, _ = self._ids.mint(
                connection.protocol_version,
                told.get("clientInfo"),
                told.get("capabilities"),
                request[BEARER].principal,
            )
            headers[SESSION_HEADER] = text
            return result

        return await exchange.run(greet(), headers)

    async def _alone(self, request: web.Request, message: dict[str, JSON]) -> web.StreamResponse:
        if VERSION_HEADER in request.headers or is_answer(message):
            raise RefusedError(400, f"the header {SESSION_HEADER} is missing")
        if is_notification(message):
            return web.Response(status=202)
        request_id, method, params = checked_request(message)
        if not method.startswith(_ALONE) or method in _NOT_ALONE:
            raise RefusedError(
                400,
                f"{method} needs a session: send initialize first, then {SESSION_HEADER}",
                request_id=request_id,
            )
        channel = Channel(request, request_id, progress_token_from_params(params))
        connection = enveloped(LATEST_HANDSHAKE_VERSION, None, {})
        exchange = self._exchange(request, request_id, channel)
        with self._here.call(exchange, request[BEARER].token_id, None, request_id):
            return await exchange.run(self._kernel.request(connection, channel, method, params))

    async def _told(
        self, request: web.Request, message: dict[str, JSON], session: Session
    ) -> web.Response:
        params = message.get("params") or {}
        if message["method"] == _CANCELLED:
            await self._hub.cancel(session, params.get("requestId"))
        else:
            channel = Channel(request, None, None)
            connection = self._connection(session)
            await self._kernel.notify(connection, channel, message["method"], params)
        return web.Response(status=202)

    async def _answer(
        self, request: web.Request, message: dict[str, JSON], session: Session
    ) -> web.StreamResponse:
        request_id, method, params = checked_request(message)
        asking = Asking(self._here, session.nonce)
        channel = Channel(request, request_id, progress_token_from_params(params), asking)
        connection = self._connection(session)
        connection.session_id = session.nonce
        exchange = self._exchange(request, request_id, channel)
        token_id = request[BEARER].token_id
        with self._here.call(exchange, token_id, session.nonce, request_id):
            return await exchange.run(self._kernel.request(connection, channel, method, params))

    def _exchange(self, request: web.Request, request_id: JSON, channel: Channel) -> Exchange:
        return Exchange(
            request,
            request_id,
            channel.outbox,
            with_status=False,
            ping_seconds=self._ping_seconds,
        )

    def _connection(self, session: Session) -> Any:
        told = _ToStreams(self._here, session.nonce)
        return enveloped(session.version, session.client, session.capabilities, told)


class _Nowhere:
    """While greeting there is no stream yet."""

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        raise NoBackChannelError(method)

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        return None


class _ToStreams(_Nowhere):
    """What is told without a request goes into the streams that the session has open."""

    def __init__(self, here: Here, nonce: str) -> None:
        self._here = here
        self._nonce = nonce

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        self._here.push(self._nonce, notification(method, params))
