"""The GET stream of the handshake revisions: what has changed, as long as the client listens."""

import asyncio
from collections.abc import Mapping

from aiohttp import web
from mcp.server.subscriptions import ResourceUpdated, ServerEvent
from mcp.shared.subscriptions import event_to_notification

from lycatra_appservice.mcp.bearer import BEARER
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.hub import Hub
from lycatra_appservice.mcp.outbox import Outbox
from lycatra_appservice.mcp.sessions import Session
from lycatra_appservice.mcp.wire import PING, STREAM_HEADERS, event
from lycatra_appservice.model import JSON


class Listening:
    """Serves such streams; one session may have several."""

    def __init__(self, here: Here, hub: Hub, ping_seconds: float) -> None:
        self._ping_seconds = ping_seconds
        self._here = here
        self._hub = hub

    async def stream(self, request: web.Request, session: Session) -> web.StreamResponse:
        """Write until the client goes, the session ends or the service stops."""
        outbox = Outbox()
        told: set[asyncio.Task[None]] = set()

        def hear(published: ServerEvent) -> None:
            task = asyncio.ensure_future(self._pass_on(published, session, outbox))
            told.add(task)
            task.add_done_callback(told.discard)

        stop = self._hub.subscribe(hear)
        try:
            token_id = request[BEARER].token_id
            with self._here.stream(session.nonce, outbox), self._here.held_by(token_id, outbox):
                return await _written(request, outbox, self._ping_seconds)
        finally:
            stop()

    async def _pass_on(self, published: ServerEvent, session: Session, outbox: Outbox) -> None:
        if await self._concerns(published, session):
            outbox.put(_wire(published))

    async def _concerns(self, published: ServerEvent, session: Session) -> bool:
        if not isinstance(published, ResourceUpdated):
            return True
        # Asked each time: a client may have begun to watch by way of another replica.
        return published.uri in await self._hub.watched(session)


async def _written(
    request: web.Request, outbox: Outbox, ping_seconds: float
) -> web.StreamResponse:
    stream = web.StreamResponse(headers=STREAM_HEADERS)
    await stream.prepare(request)
    await stream.write(b": listening\n\n")
    while outbox or not outbox.closed:
        pieces = [event(message) for message in outbox.drain()]
        if pieces:
            await stream.write(b"".join(pieces))
        await asyncio.wait({outbox.changed()}, timeout=ping_seconds)
        if not outbox and not outbox.closed:
            await stream.write(PING)
    await stream.write_eof()
    return stream


def _wire(published: ServerEvent) -> Mapping[str, JSON]:
    told = event_to_notification(published, {}).model_dump(
        by_alias=True, mode="json", exclude_none=True
    )
    params = {key: value for key, value in (told.get("params") or {}).items() if key != "_meta"}
    message: dict[str, JSON] = {"jsonrpc": "2.0", "method": told["method"]}
    return {**message, "params": params} if params else message
