"""The devices of the people in a room: known, up to date, and met, before a key is given out."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Final

from mautrix.types import DeviceIdentity, IdentityKey

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.crypto.machine import KeyMachine
from lycatra_appservice.matrix.crypto.unit import KeyUnits
from lycatra_appservice.model import UserID

logger: Final = logging.getLogger(__name__)
_PATIENCE: Final = timedelta(seconds=15)  # with the homeservers of others
_NOT_AGAIN: Final = 60.0  # seconds, after somebody's devices could not be read


class DevicesOfPeople:
    """Follows those with whom we share encrypted rooms. Needs no lock: it only adds."""

    def __init__(self, database: Database, units: KeyUnits) -> None:
        self._sql = Statements.load(__package__, "keys", database.dialect)
        self._units = units
        self._failed: dict[UserID, float] = {}

    async def refresh(self, machine: KeyMachine, people: Sequence[UserID]) -> None:
        """Ask for the devices of those whose changed, or who were never asked for."""
        hopeful = [user for user in people if not self._failed_lately(user)]
        rows = await self._units.fetch(self._sql["stale"], people=json.dumps(hopeful))
        if not rows:
            return
        stale = await self._follow([UserID(row["user_id"]) for row in rows])
        found = await self._fetch(machine, list(stale))
        for user, version in stale.items():
            if user not in found:
                self._failed[user] = monotonic()
                logger.info("devices_unknown", extra={"user_id": user})
                continue
            async with self._units.unit() as connection:
                await connection.execute(self._sql["mark_known"], user_id=user, version=version)

    async def meet(self, machine: KeyMachine, people: Sequence[UserID]) -> None:
        """Have a session with each of their devices, as far as each of them can be reached."""
        met = {user: await machine.crypto_store.get_devices(user) or {} for user in people}
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                await machine.meet(met)
        except (LycatraError, TimeoutError) as error:
            logger.info("devices_not_met", extra={"error": str(error)})

    async def sender(
        self, machine: KeyMachine, user: UserID, sender_key: IdentityKey
    ) -> DeviceIdentity | None:
        """Know the device that has written something, if it is there (still)."""
        device = await machine.crypto_store.find_device_by_key(user, sender_key)
        if device is None and not self._failed_lately(user):
            async with self._units.unit() as connection:
                await connection.execute(self._sql["track"], user_id=user)
                await connection.execute(self._sql["mark_changed"], user_id=user)
            await self.refresh(machine, [user])
            device = await machine.crypto_store.find_device_by_key(user, sender_key)
            if device is None:
                self._failed[user] = monotonic()
        return device

    async def all_changed(self) -> None:
        """Ask again for everybody's devices when they are needed: hints may have been lost."""
        async with self._units.unit() as connection:
            await connection.execute(self._sql["mark_all_changed"])

    async def _follow(self, people: Sequence[UserID]) -> Mapping[UserID, int]:
        """From now on; the versions that they are asked for."""
        versions = {}
        async with self._units.unit() as connection:
            for user in sorted(people):
                await connection.execute(self._sql["track"], user_id=user)
                row = await connection.fetch_one(self._sql["get_person"], user_id=user)
                versions[user] = 0 if row is None else int(row["wanted"])
        return versions

    async def _fetch(self, machine: KeyMachine, users: Sequence[UserID]) -> Sequence[UserID]:
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                found = await machine.fetch_devices(users)
        except (LycatraError, TimeoutError) as error:
            logger.info("devices_not_fetched", extra={"error": str(error)})
            return ()
        return list(found)

    def _failed_lately(self, user: UserID) -> bool:
        failed = self._failed.get(user)
        if failed is None:
            return False
        if monotonic() - failed < _NOT_AGAIN:
            return True
        del self._failed[user]
        return False
