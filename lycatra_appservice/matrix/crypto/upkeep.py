"""What the owner of the keys looks after: our devices, their keys, and what nobody could read."""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import Final, Protocol

from mautrix.types import DeviceID, IdentityKey, RoomID, SessionID

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError, StoreUnavailableError
from lycatra_appservice.matrix.crypto.keyring import Keyring
from lycatra_appservice.matrix.crypto.lease import CRYPTO_CHANNEL, MISSED, KeysLostError
from lycatra_appservice.matrix.crypto.own_devices import OwnDevices
from lycatra_appservice.matrix.crypto.publishing import publish_keys, renew_fallback_key
from lycatra_appservice.matrix.crypto.unit import KeyUnits
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, UserID

logger: Final = logging.getLogger(__name__)

_LOOK: Final = 2.0  # seconds
_COUNT_EVERY: Final = 300.0
_PATIENCE: Final = timedelta(seconds=10)  # keys mostly come first, or a moment later
_RENEW_SELDOM: Final = 3600.0  # what was made with the key before the last one opens no more
_EVERYWHERE: Final = DeviceID("*")


class Unreadable(Protocol):
    """Who is told of what cannot be read."""

    async def tell(self, connection: Connection, room_id: RoomID, session_id: str) -> None:
        """Have it said, once, by what goes into this transaction."""


class KeyUpkeep:
    """Never in a hurry, except when the homeserver runs out of our keys."""

    def __init__(
        self,
        database: Database,
        units: KeyUnits,
        keyring: Keyring,
        devices: OwnDevices,
        users: VirtualUsers,
        unreadable: Unreadable,
    ) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "raw_inbox", database.dialect)
        self._units = units
        self._keyring = keyring
        self._devices = devices
        self._users = users
        self._unreadable = unreadable
        self._low: set[UserID] = set()
        self._used: set[UserID] = set()
        self._renewed: dict[UserID, float] = {}
        self._stirred = asyncio.Event()

    def hurry(self, user_id: UserID) -> None:
        """The homeserver has few keys of this user left."""
        self._low.add(user_id)
        self._stirred.set()

    def renew(self, user_id: UserID) -> None:
        """The homeserver gave this user's fallback key away; it says so until there is another."""
        if monotonic() - self._renewed.get(user_id, -_RENEW_SELDOM) >= _RENEW_SELDOM:
            self._used.add(user_id)
            self._stirred.set()

    async def run(self) -> None:
        """Look after it until cancelled."""
        missing, counted = set(self._users.all), -_COUNT_EVERY
        while True:
            self._stirred.clear()
            missing = {user for user in sorted(missing) if not await self._prepared(user)}
            if monotonic() - counted > _COUNT_EVERY:
                counted = monotonic()
                self._low.update(set(self._users.all) - missing)
            await self._fill(missing)
            await self._tell()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._stirred.wait()

    async def _prepared(self, user_id: UserID) -> bool:
        try:
            await self._devices.prepare(user_id)
        except (KeysLostError, StoreUnavailableError):
            raise
        except LycatraError as error:
            logger.warning("device_not_ready", extra={"user_id": user_id, "error": str(error)})
            return False
        return True

    async def _fill(self, missing: set[UserID]) -> None:
        low, self._low = self._low - missing, set()
        used, self._used = self._used - missing, set()
        for user_id in sorted(low | used):
            try:
                async with self._keyring.use(user_id) as machine:
                    await publish_keys(machine)
                    if user_id in used:
                        await renew_fallback_key(machine)
                        self._renewed[user_id] = monotonic()
            except (KeysLostError, StoreUnavailableError):
                raise
            except LycatraError as error:
                logger.warning("keys_not_filled", extra={"user_id": user_id, "error": str(error)})

    async def _tell(self) -> None:
        """Ask for keys that do not come, and have it said that they are missing."""
        rows = await self._database.fetch(
            self._sql["untold"], patience_ms=int(_PATIENCE.total_seconds() * 1000)
        )
        for row in rows:
            await self._ask(row)
            async with self._units.unit() as connection:
                room_id = RoomID(row["room"])
                await self._unreadable.tell(connection, room_id, row["session_id"])
                await connection.notify(CRYPTO_CHANNEL, MISSED)
                await connection.execute(
                    self._sql["told"], room=room_id, session_id=row["session_id"]
                )

    async def _ask(self, row: Row) -> None:
        """A client that gave us the key before gives it again when it is asked."""
        first = await self._database.fetch_one(
            self._sql["first_waiting"], room=row["room"], session_id=row["session_id"]
        )
        if first is None:
            return
        event: Mapping[str, JSON] = mapping(json.loads(first["raw"]).get("event"))
        sender, content = UserID(event["sender"]), mapping(event["content"])
        device_id, sender_key = content.get("device_id"), content.get("sender_key")
        machine = await self._keyring.look(self._users.main)
        try:
            await machine.request_room_key(
                RoomID(row["room"]),
                IdentityKey(sender_key if isinstance(sender_key, str) else ""),
                SessionID(row["session_id"]),
                {sender: [DeviceID(device_id) if isinstance(device_id, str) else _EVERYWHERE]},
                timeout=0,
            )
        except (KeysLostError, StoreUnavailableError):
            raise
        except LycatraError as error:
            logger.info("key_not_asked_for", extra={"error": str(error)})
