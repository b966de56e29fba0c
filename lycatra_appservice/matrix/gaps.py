"""The gap check: what the homeserver never pushed is found by one incremental /sync a user.

Synapse (1.163) loses events that were queued behind a transaction when it is restarted, and may
stay silent after a crash. The first run on an empty database only sets the mark.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.calls import text_of
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.crypto.raw_inbox import KeyNews
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.missed import (
    Gap,
    as_pushed,
    read_keys,
    read_sync,
    since_invitation,
)
from lycatra_appservice.matrix.users import DEVICE_ID, VirtualUsers
from lycatra_appservice.model import JSON, RoomID, UserID

logger = logging.getLogger(__name__)

_TIMELINE: Final = 50
_MAX_PAGES: Final = 10
_PAGE: Final = 100
_FILTER: Final[Mapping[str, JSON]] = {
    "presence": {"types": []},
    "account_data": {"types": []},
    "room": {
        "include_leave": True,
        "ephemeral": {"types": []},
        "account_data": {"types": []},
        "timeline": {"limit": _TIMELINE},
    },
}


DeviceOf: TypeAlias = Callable[[UserID], Awaitable[str]]


class FoundEvents(Protocol):
    """Where found events go: the same way as pushed ones."""

    async def store_found(
        self,
        events: Sequence[JSON],
        news: KeyNews,
        mark: "SyncMark",
    ) -> int:
        """Store events and the mark in one commit; return how many turns are new."""


@dataclass(frozen=True, slots=True)
class SyncMark:
    """How far a user's /sync has been read."""

    user_id: UserID
    next_batch: str


class GapObserver(Protocol):
    """Where the figures go."""

    def gaps_checked(self, found: int, ours: int) -> None:
        """Events seen by the check, and those among them that no push had brought."""


class GapCheck:
    """A duty of the leader."""

    def __init__(
        self,
        database: Database,
        client: MatrixClient,
        users: VirtualUsers,
        found: FoundEvents,
        observer: GapObserver,
        device_of: DeviceOf | None = None,
    ) -> None:
        """`device_of` tells as which device to look, where one of them has keys."""
        self._database = database
        self._sql = Statements.load(__package__, "presence", database.dialect)
        self._client = client
        self._users = users
        self._found = found
        self._observer = observer
        self._device_of = device_of or _the_only_one

    async def check(self) -> None:
        """Look once as every user; events that were pushed already change nothing.

        One user whom the homeserver refuses does not keep the others from being looked for.
        """
        busy: MatrixError | None = None
        for user in self._users.all:
            try:
                await self._check(user)
            except MatrixError as error:
                busy = error if error.outlasted else busy
                logger.warning("gap_check_refused", extra={"user_id": user, "error": str(error)})
        if busy is not None:
            raise busy  # so that it is tried again soon

    async def _check(self, user: UserID) -> None:
        row = await self._database.fetch_one(self._sql["get_ghost"], user_id=user)
        since = row["next_batch"] if row else None
        wanted = _FILTER if since else _only_the_mark()
        device_id = await self._device_of(user)
        answer = await self._client.sync(
            as_user=user, since=since, event_filter=wanted, device_id=device_id
        )
        mark = SyncMark(user, text_of(answer, "next_batch"))
        if since is None:
            # Nothing that was said; but what came for the device is erased there by the next time.
            news = read_keys(answer, user, device_id)
            await self._found.store_found((), news, mark)
            if news.to_device:
                await self._check(user)
            return
        missed = read_sync(answer, user, device_id)
        events = list(missed.events)
        for gap in missed.gaps:
            events[:0] = await self._page_back(user, gap, since)
        ours = await self._found.store_found(events, missed.keys, mark)
        if ours:
            logger.warning("gap_found", extra={"user_id": user, "turns": ours})
        logger.debug("gap_checked", extra={"user_id": user, "events": len(events)})
        self._observer.gaps_checked(len(events), ours)
        if missed.keys.to_device:
            await self._check(user)  # there may be more, and these are erased there by asking

    async def _page_back(self, user: UserID, gap: Gap, since: str) -> Sequence[JSON]:
        """What a limited timeline left out, oldest first; bounded, the newest are kept."""
        events: list[JSON] = []
        start: str | None = gap.start
        for _ in range(_MAX_PAGES):
            page = await self._page(user, gap.room_id, start, since)
            events.extend(as_pushed(event, gap.room_id) for event in page.get("chunk", []))
            start = page.get("end")
            if start is None or start == since:
                break
        else:
            logger.warning("gap_cut", extra={"room_id": gap.room_id, "kept": len(events)})
        events.reverse()
        return since_invitation(events, user)

    async def _page(
        self, user: UserID, room_id: RoomID, start: str | None, since: str
    ) -> Mapping[str, JSON]:
        """One page; nothing of a room that may not be read any more."""
        try:
            return await self._client.messages(
                room_id, as_user=user, start=start, end=since, limit=_PAGE
            )
        except MatrixError as error:
            if error.outlasted:
                raise
            logger.warning("gap_unreadable", extra={"room_id": room_id, "error": str(error)})
            return {}


async def _the_only_one(user: UserID) -> str:
    return DEVICE_ID


def _only_the_mark() -> Mapping[str, JSON]:
    """A filter for no room at all, and never the same one twice.

    Synapse (1.163) answers a first /sync that it has seen from a cache, with a mark of minutes
    ago, and what was said since then would be taken for new.
    """
    nowhere = f"!{secrets.token_hex(8)}:none.invalid"
    return {**_FILTER, "room": {"rooms": [], "not_rooms": [nowhere]}}
