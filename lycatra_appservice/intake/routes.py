"""The routes that the homeserver calls (application service API 1.15).

PUT /_matrix/app/v1/transactions/{txn}   events; 200 only after the commit, 503 without database
GET /_matrix/app/v1/users/{user}         200 for a user that we run, else 404; a set look-up
GET /_matrix/app/v1/rooms/{alias}        404: we make no rooms by alias
POST /_matrix/app/v1/ping                200
GET /_matrix/app/v1/thirdparty/…         404
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from aiohttp import web

from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.intake.body import NotJSONError, TransactionBody, read_body
from lycatra_appservice.intake.receiving import Receiving
from lycatra_appservice.intake.sorter import EventSorter, unreadable
from lycatra_appservice.intake.token import HomeserverToken, error_response
from lycatra_appservice.matrix.events import is_id
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.turns.inbox import Inbox

logger = logging.getLogger(__name__)

PREFIX: Final = "/_matrix/app/v1"
# A legal transaction holds 100 events of 64 KiB; what Synapse gets a 413 for it sends for ever.
MAX_BODY_BYTES: Final = 64 * 1024 * 1024


class IntakeObserver(Protocol):
    """Where the figures of the way in go."""

    def transaction(self, outcome: str) -> None:
        """One push: `stored`, `nothing`, `refused`, `unreadable` or `unavailable`."""

    def stored(self, new: int, known: int, dead: int) -> None:
        """Turns that are new, events that were known already, dead letters."""


class Intake:
    """The handlers. Nothing here waits for anything but the database."""

    def __init__(
        self,
        token: HomeserverToken,
        inbox: Inbox,
        sorter: EventSorter,
        users: VirtualUsers,
        observer: IntakeObserver,
        on_heartbeat: Callable[[str], Awaitable[None]],
        receiving: Receiving | None = None,
    ) -> None:
        self._token = token
        self._inbox = inbox
        self._sorter = sorter
        self._users = users
        self._observer = observer
        self._on_heartbeat = on_heartbeat
        self._receiving = receiving or Receiving()

    def routes(self) -> Sequence[web.RouteDef]:
        """All of them, for the main listener."""
        return [
            web.put(f"{PREFIX}/transactions/{{txn}}", self._transaction),
            web.get(f"{PREFIX}/users/{{user}}", self._user),
            web.get(f"{PREFIX}/rooms/{{alias}}", self._unknown),
            web.post(f"{PREFIX}/ping", self._ping),
            web.get(f"{PREFIX}/thirdparty/{{rest:.*}}", self._unknown),
        ]

    async def _transaction(self, request: web.Request) -> web.Response:
        refusal = self._token.refusal(request)
        if refusal is not None:
            self._observer.transaction("refused")
            return refusal
        raw = await _read(request)
        if raw is None:
            self._observer.transaction("unreadable")
            return error_response(413, "M_TOO_LARGE", "This transaction is too large.")
        try:
            body = read_body(raw)
        except NotJSONError as error:
            self._observer.transaction("unreadable")
            return error_response(400, "M_NOT_JSON", str(error))
        try:
            await self._store(request.match_info["txn"], body)
        except StoreUnavailableError as error:
            logger.warning("push_not_stored", extra={"error": str(error)})
            self._observer.transaction("unavailable")
            return error_response(503, "M_UNAVAILABLE", "The database is away; send it again.")
        return web.json_response({})

    async def _store(self, txn: str, body: TransactionBody) -> None:
        found = self._sorter.sort(body.events, via="push")
        dead = [*found.dead_letters, *(unreadable(raw) for raw in body.unreadable)]
        triggers = [*found.triggers, *await self._inbox.late(found.echoes)]
        alongside = self._receiving.alongside(found, body.keys, "push")
        if triggers or dead or alongside:
            new = await self._inbox.store(
                triggers,
                txn_id=txn if is_id(txn) else None,
                dead_letters=dead,
                alongside=alongside,
            )
            self._observer.stored(new, len(triggers) - new, len(dead))
            self._observer.transaction("stored")
            logger.debug("pushed", extra={"txn_id": txn, "turns": new})
        else:
            self._observer.transaction("nothing")
        for nonce in found.heartbeats:
            await self._on_heartbeat(nonce)

    async def _user(self, request: web.Request) -> web.Response:
        refusal = self._token.refusal(request)
        if refusal is not None:
            return refusal
        if self._users.exists(request.match_info["user"]):
            return web.json_response({})
        return error_response(404, "M_NOT_FOUND", "No such user here.")

    async def _unknown(self, request: web.Request) -> web.Response:
        return self._token.refusal(request) or error_response(
            404, "M_NOT_FOUND", "Nothing like that here."
        )

    async def _ping(self, request: web.Request) -> web.Response:
        return self._token.refusal(request) or web.json_response({})


async def _read(request: web.Request) -> bytes | None:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return None
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size > MAX_BODY_BYTES:
            return None
        pieces.append(piece)
    return b"".join(pieces)
