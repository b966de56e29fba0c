"""The heartbeat: an event of our own, sent and expected back by push, proves the whole loop.

It also wakes Synapse's scheduler, which after a restart sends nothing until something happens.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic
from typing import Final

from lycatra_appservice.db.connection import Database, Signals
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import RoomID

logger = logging.getLogger(__name__)

HEARTBEAT_CHANNEL: Final = "lycatra_heartbeat"
HEARTBEAT_TYPE: Final = "org.lycatra.heartbeat"
_PING_TRIES: Final = 3
_PING_PAUSE_SECONDS: Final = 1.0


def control_alias(users: VirtualUsers) -> str:
    """The alias of the private room in which the heart beats; nobody but us is ever in it."""
    return f"#{_control_localpart(users)}:{users.server_name}"


def _control_localpart(users: VirtualUsers) -> str:
    return f"{users.localpart_of(users.main)}_control"


class Pinger:
    """Asks the homeserver to call us back, so that it sends at once what it kept for us."""

    def __init__(self, client: MatrixClient, appservice_id: str) -> None:
        self._client = client
        self._appservice_id = appservice_id

    async def ping(self) -> bool:
        """Ping with a few tries. False is no proof of anything.

        Synapse (1.163) may answer 502 although we are reachable, when a retry of its own was
        under way.
        """
        for attempt in range(_PING_TRIES):
            if attempt:
                await asyncio.sleep(_PING_PAUSE_SECONDS)
            try:
                await self._client.ping(self._appservice_id, f"lyc-{secrets.token_hex(8)}")
            except LycatraError as error:
                logger.info("ping_failed", extra={"error": str(error)})
            else:
                return True
        return False


class Heartbeat:
    """A duty of the leader: beat when it has been silent, and act when no beat comes back."""

    def __init__(
        self,
        database: Database,
        signals: Signals,
        client: MatrixClient,
        users: VirtualUsers,
        pinger: Pinger,
        on_silence: Callable[[], Awaitable[None]],
        *,
        silence: timedelta = timedelta(minutes=5),
        patience: timedelta = timedelta(seconds=10),
    ) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "presence", database.dialect)
        self._client = client
        self._users = users
        self._pinger = pinger
        self._on_silence = on_silence
        self._silence = silence
        self._patience = patience
        self._returned = asyncio.Event()
        self._nonce = ""
        self._heard_at: float | None = None  # when the last beat came back
        signals.listen(HEARTBEAT_CHANNEL, self._came_back)

    async def arrived(self, nonce: str) -> None:
        """Tell the leader, wherever it runs, that its event was pushed to this replica."""
        async with self._database.transaction() as connection:
            await connection.notify(HEARTBEAT_CHANNEL, nonce)

    async def beat(self) -> None:
        """Send a heartbeat if nothing was pushed lately; without an echo ping and look for gaps.

        The first one is sent whatever was pushed, and again until one has come back.
        """
        if not await self._is_silent():
            return
        room_id = await self._control_room()
        self._nonce = secrets.token_hex(8)
        self._returned.clear()
        await self._client.send_event(
            room_id,
            HEARTBEAT_TYPE,
            f"lyc-{self._nonce}",
            {"nonce": self._nonce},
            as_user=self._users.main,
        )
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await self._returned.wait()
        except TimeoutError:
            logger.warning("heartbeat_missing")
            await self._pinger.ping()
            await self._on_silence()
        else:
            self._heard_at = monotonic()

    def _came_back(self, nonce: str) -> None:
        if nonce and nonce == self._nonce:
            logger.debug("heartbeat_returned")
            self._returned.set()

    async def _is_silent(self) -> bool:
        if self._heard_at is None:
            return True
        # A beat itself stores nothing, and a homeserver that counts its transactions from one
        # again leaves old times on their ids.
        if timedelta(seconds=monotonic() - self._heard_at) <= self._silence:
            return False
        row = await self._database.fetch_one(self._sql["last_push"])
        ago_ms = row["ago_ms"] if row else None
        return ago_ms is None or timedelta(milliseconds=ago_ms) > self._silence

    async def _control_room(self) -> RoomID:
        """The private room with our alias: the same one for all replicas, at any time."""
        alias = control_alias(self._users)
        found = await self._client.resolve_alias(alias, as_user=self._users.main)
        if found is not None:
            return found
        try:
            return await self._client.create_room(
                {
                    "preset": "private_chat",
                    "visibility": "private",
                    "room_alias_name": _control_localpart(self._users),
                    "name": "Lycatra (technical)",
                },
                as_user=self._users.main,
            )
        except MatrixError as error:
            if error.errcode != "M_ROOM_IN_USE":
                raise
        made_meanwhile = await self._client.resolve_alias(alias, as_user=self._users.main)
        if made_meanwhile is None:
            raise MatrixError(404, "M_NOT_FOUND", "no control room")
        return made_meanwhile
