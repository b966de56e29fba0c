"""The hub over the database, so that any replica can serve any request of a session."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta
from time import monotonic
from typing import Any, Final

from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.hub import CANCELLED, CANCELLED_WORDS
from lycatra_appservice.mcp.sessions import Session
from lycatra_appservice.model import JSON

logger = logging.getLogger(__name__)

HUB_CHANNEL: Final = "lycatra_mcp"
_ANSWER_KEPT: Final = timedelta(minutes=10)  # longer than any question waits
_BELIEVED_SECONDS: Final = 5.0  # how long a session counts as not ended without a look
_MOST_BELIEVED: Final = 10_000
_COLLECT_SECONDS: Final = 5.0  # a hint may be lost with its connection
_LISTS: Final[dict[str, ServerEvent]] = {
    "tools": ToolsListChanged(),
    "prompts": PromptsListChanged(),
    "resources": ResourcesListChanged(),
}
_KINDS: Final = {event: name for name, event in _LISTS.items()}


class SharedHub:
    """A Hub; rows carry what counts, notifications only tell of them."""

    def __init__(self, database: Database, here: Here) -> None:
        self._database = database
        self._here = here
        self._bus = InMemorySubscriptionBus()
        self._sql = Statements.load(__package__, "hub", database.dialect)
        self._revoked: set[str] = set()
        self._believed: dict[str, float] = {}
        self._doing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Collect answers whose hint was lost, until cancelled."""
        while True:
            await asyncio.sleep(_COLLECT_SECONDS)
            await self._collect_all()

    def heard(self, payload: str) -> None:
        """A notification of HUB_CHANNEL; an empty one says that some may have been missed."""
        if not payload:
            self._believed.clear()
            self._do(self._collect_all())
            return
        what, *told = json.loads(payload)
        match what:
            case "answer":
                self._do(self._collect(*told))
            case "cancel":
                self._here.cancel(told[0], told[1], CANCELLED, CANCELLED_WORDS)
            case "revoke":
                self._ended(told[0])
            case "list":
                self._do(self._bus.publish(_LISTS[told[0]]))
            case "resource":
                self._do(self._bus.publish(ResourceUpdated(uri=told[0])))
            case _:
                logger.debug("mcp_hub_told_something_new", extra={"what": what})

    async def answer(self, session: Session, request_id: JSON, message: JSON) -> None:
        """See Hub."""
        if self._here.answer(session.nonce, request_id, message):
            return
        async with self._database.transaction() as connection:
            await connection.execute(
                self._sql["put_answer"],
                nonce=session.nonce,
                request_id=json.dumps(request_id),
                message=json.dumps(message),
            )
            await connection.notify(HUB_CHANNEL, _told("answer", session.nonce, request_id))

    async def cancel(self, session: Session, request_id: JSON) -> None:
        """See Hub."""
        if not self._here.cancel(session.nonce, request_id, CANCELLED, CANCELLED_WORDS):
            await self._tell(_told("cancel", session.nonce, request_id))

    async def revoke(self, session: Session) -> None:
        """See Hub."""
        async with self._database.transaction() as connection:
            await connection.execute(
                self._sql["revoke"], nonce=session.nonce, expires_at=session.expires * 1000
            )
            await connection.notify(HUB_CHANNEL, _told("revoke", session.nonce))
        self._ended(session.nonce)

    async def is_revoked(self, session: Session) -> bool:
        """See Hub. May be some seconds late, when a notification was lost."""
        if session.nonce in self._revoked:
            return True
        if self._believed.get(session.nonce, 0.0) > monotonic():
            return False
        row = await self._database.fetch_one(self._sql["is_revoked"], nonce=session.nonce)
        if row is not None:
            self._revoked.add(session.nonce)
            return True
        if len(self._believed) >= _MOST_BELIEVED:
            self._believed.clear()
        self._believed[session.nonce] = monotonic() + _BELIEVED_SECONDS
        return False

    async def watch(self, session: Session, uri: str, *, on: bool) -> None:
        """See Hub."""
        if on:
            await self._database.execute(
                self._sql["watch"],
                nonce=session.nonce,
                uri=uri,
                expires_at=session.expires * 1000,
            )
        else:
            await self._database.execute(self._sql["unwatch"], nonce=session.nonce, uri=uri)

    async def watched(self, session: Session) -> frozenset[str]:
        """See Hub."""
        rows = await self._database.fetch(self._sql["watched"], nonce=session.nonce)
        return frozenset(row["uri"] for row in rows)

    async def publish(self, event: ServerEvent) -> None:
        """See Hub."""
        if isinstance(event, ResourceUpdated):
            await self._tell(_told("resource", event.uri))
        else:
            await self._tell(_told("list", _KINDS[event]))

    def publish_here(self, event: ServerEvent) -> None:
        """The same for this replica alone: the others notice by themselves."""
        self._do(self._bus.publish(event))

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """See Hub."""
        return self._bus.subscribe(listener)

    async def forget(self) -> None:
        """Erase what concerns nobody any more."""
        keep_ms = round(_ANSWER_KEPT / timedelta(milliseconds=1))
        await self._database.execute(self._sql["forget_answers"], keep_ms=keep_ms)
        await self._database.execute(self._sql["forget_revoked"])
        await self._database.execute(self._sql["forget_watched"])

    def _ended(self, nonce: str) -> None:
        self._revoked.add(nonce)
        self._here.close_streams(nonce)

    async def _collect_all(self) -> None:
        for nonce, request_id in self._here.open_questions():
            await self._collect(nonce, request_id)

    async def _collect(self, nonce: str, request_id: JSON) -> None:
        if not self._here.is_asked(nonce, request_id):
            return
        try:
            row = await self._database.fetch_one(
                self._sql["take_answer"], nonce=nonce, request_id=json.dumps(request_id)
            )
        except StoreUnavailableError as error:
            logger.warning("mcp_answer_waits", extra={"error": str(error)})
            return
        if row is not None:
            self._here.answer(nonce, request_id, json.loads(row["message"]))

    async def _tell(self, payload: str) -> None:
        async with self._database.transaction() as connection:
            await connection.notify(HUB_CHANNEL, payload)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)


def _told(*words: JSON) -> str:
    return json.dumps(words, separators=(",", ":"))
