"""The crypto machines of our users, one each, as long as this replica has the keys."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from mautrix.crypto import OlmAccount
from mautrix.types import DeviceID
from olm.account import OlmAccountError

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.crypto.key_client import KeyClient
from lycatra_appservice.matrix.crypto.key_store import KeyStore
from lycatra_appservice.matrix.crypto.machine import KeyMachine
from lycatra_appservice.matrix.crypto.secret import KeySecret
from lycatra_appservice.matrix.crypto.unit import KeyUnits
from lycatra_appservice.matrix.users import KEY_DEVICE_PREFIX
from lycatra_appservice.model import UserID

_DEVICE_CHARS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"


class WrongSecretError(LycatraError):
    """The keys in the database were closed with another secret."""

    def __init__(self) -> None:
        """It says what to do."""
        super().__init__(
            "encryption.secret is not the one with which the keys in the database were closed: "
            "put the old one back, or see docs/ENCRYPTION.md for a new beginning"
        )


class Keyring:
    """Hands out machines. What failed halfway is read again from the database."""

    def __init__(
        self, database: Database, client: MatrixClient, units: KeyUnits, secret: KeySecret
    ) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "keys", database.dialect)
        self._client = client
        self._units = units
        self._secret = secret
        self._machines: dict[UserID, KeyMachine] = {}
        self._locks: Mapping[UserID, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._opening = asyncio.Lock()  # or two tasks would make two accounts

    def forget(self) -> None:
        """Know nothing any more: another replica may change all of it."""
        self._machines.clear()

    @asynccontextmanager
    async def use(self, user_id: UserID) -> AsyncIterator[KeyMachine]:
        """The user's machine for what changes its account or its sessions with devices."""
        async with self._locks[user_id]:
            machine = await self.look(user_id)
            try:
                yield machine
            except BaseException:
                # What it has in memory may be ahead of what was stored.
                self._machines.pop(user_id, None)
                raise

    async def look(self, user_id: UserID) -> KeyMachine:
        """The user's machine for what changes neither. Makes an account if there is none."""
        if user_id not in self._machines:
            async with self._opening:
                if user_id not in self._machines:
                    self._machines[user_id] = await self._open(user_id)
        return self._machines[user_id]

    async def _open(self, user_id: UserID) -> KeyMachine:
        async with self._units.unit() as connection:
            row = await connection.fetch_one(self._sql["get_account"], user_id=user_id)
            device_id = DeviceID(row["device_id"] if row else _new_device())
            store = KeyStore(
                self._units, self._database.dialect, user_id, device_id, self._secret.pickle
            )
            machine = KeyMachine(KeyClient(self._client, user_id, device_id), store, self._units)
            if row is None:
                await store.put_account(OlmAccount())
            try:
                await machine.load()
            except OlmAccountError as error:
                raise WrongSecretError from error
        return machine


async def expect_secret(database: Database, secret: KeySecret) -> None:
    """Raise WrongSecretError unless this secret opens what is stored, if anything is."""
    sql = Statements.load(__package__, "keys", database.dialect)
    row = await database.fetch_one(sql["any_account"])
    if row is None:
        return
    try:
        OlmAccount.from_pickle(bytes(row["pickle"]), secret.pickle, shared=False)
    except OlmAccountError as error:
        raise WrongSecretError from error


def _new_device() -> str:
    return KEY_DEVICE_PREFIX + "".join(secrets.choice(_DEVICE_CHARS) for _ in range(8))
