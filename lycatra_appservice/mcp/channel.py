"""The way back to a client while one of its requests is being answered."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final

import anyio
from aiohttp import web
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types.jsonrpc import REQUEST_TIMEOUT

from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.outbox import Outbox
from lycatra_appservice.mcp.wire import notification
from lycatra_appservice.model import JSON

_ANSWER_SECONDS: Final = 300.0  # a person reads a form and fills it in


class Channel:
    """What the SDK's kernel calls the dispatch context of one request.

    Requests to the client are possible in the handshake revisions only, in a session: the answer
    comes as a message of its own, perhaps to another replica.
    """

    def __init__(
        self,
        request: web.Request,
        request_id: JSON,
        progress_token: str | int | None,
        asking: "Asking | None" = None,
    ) -> None:
        self.transport = TransportContext(
            kind="streamable-http",
            can_send_request=asking is not None,
            headers=request.headers,
        )
        self.request_id = request_id
        self.message_metadata = ServerMessageMetadata(request_context=request)
        self.outbox = Outbox()
        self._progress_token = progress_token
        self._asking = asking
        self._cancel_requested: anyio.Event | None = None

    @property
    def can_send_request(self) -> bool:
        """Whether the client can be asked something meanwhile."""
        return self._asking is not None

    @property
    def cancel_requested(self) -> anyio.Event:
        """Never set: who gives a call up cancels its task."""
        if self._cancel_requested is None:
            self._cancel_requested = anyio.Event()
        return self._cancel_requested

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Ask the client. Raises MCPError with its error, NoBackChannelError."""
        if self._asking is None:
            raise NoBackChannelError(method)
        return await self._asking.ask(self.outbox, method, params, opts or {})

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Tell the client something, in the stream of this answer."""
        self.outbox.put(notification(method, params))

    async def progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell how far it is, if the client has asked for that."""
        if self._progress_token is None:
            return
        told: dict[str, JSON] = {"progressToken": self._progress_token, "progress": progress}
        if total is not None:
            told["total"] = total
        if message is not None:
            told["message"] = message
        await self.notify("notifications/progress", told)


class Asking:
    """Asks the client of one session."""

    def __init__(self, here: Here, nonce: str) -> None:
        self._here = here
        self._nonce = nonce

    async def ask(
        self, outbox: Outbox, method: str, params: Mapping[str, Any] | None, opts: CallOptions
    ) -> dict[str, Any]:
        """Send a request and wait for its result. Raises MCPError."""
        request_id = f"s-{secrets.token_urlsafe(9)}"
        seconds = opts.get("timeout", _ANSWER_SECONDS)
        with self._here.question(self._nonce, request_id) as answer:
            message = {"jsonrpc": "2.0", "id": request_id, "method": method}
            outbox.put(message if params is None else {**message, "params": params})
            try:
                async with asyncio.timeout(seconds):
                    found = await answer
            except TimeoutError:
                raise MCPError(REQUEST_TIMEOUT, f"no answer within {seconds:g} s") from None
            except asyncio.CancelledError:
                # The client takes its form away.
                outbox.put(notification("notifications/cancelled", {"requestId": request_id}))
                raise
        error = found.get("error")
        if isinstance(error, dict):
            code = error.get("code")
            raise MCPError(code if isinstance(code, int) else 0, str(error.get("message", "")))
        result = found.get("result")
        return result if isinstance(result, dict) else {}
