"""Where any replica has its messages encrypted by the one that has the keys.

The encrypted form is stored before it is sent, so a repetition sends the very same, and no place
of a session is ever used for two messages.
"""

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pydantic import SecretStr

from lycatra_appservice.db.connection import Database, Signals
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.crypto.files import FileCipher
from lycatra_appservice.matrix.crypto.lease import CRYPTO_CHANNEL
from lycatra_appservice.matrix.crypto.room_reader import RoomReader
from lycatra_appservice.matrix.crypto.secret import KeySecret
from lycatra_appservice.matrix.seals import CannotSealError, SealLaterError
from lycatra_appservice.model import JSON, RoomID, UserID

TO_SEAL: Final = "seal"  # on CRYPTO_CHANNEL
SEALED: Final = "sealed:"
_PATIENCE: Final = timedelta(seconds=10)
_LOOK: Final = timedelta(seconds=1)  # a hint may be lost


class SealDesk:
    """The `Seals` of a replica, with or without the keys."""

    def __init__(self, database: Database, signals: Signals, secret: SecretStr) -> None:
        self.read = RoomReader(database, KeySecret(secret).pickle).read
        self.files = FileCipher()
        self._database = database
        self._sql = Statements.load(__package__, "sealing", database.dialect)
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        signals.listen(CRYPTO_CHANNEL, self._hinted)

    async def seal(
        self,
        txn_id: str,
        room_id: RoomID,
        event_type: str,
        content: Mapping[str, JSON],
        *,
        as_user: UserID,
    ) -> Mapping[str, JSON]:
        """The content of the `m.room.encrypted` to send instead; the same for the same."""
        text = json.dumps(content, sort_keys=True)
        digest = hashlib.sha256(f"{event_type}\0{text}".encode()).hexdigest()
        hint = asyncio.Event()
        self._waiting[txn_id].add(hint)
        try:
            async with self._database.transaction() as connection:
                await connection.execute(
                    self._sql["ask"],
                    txn_id=txn_id,
                    user_id=as_user,
                    room=room_id,
                    type=event_type,
                    digest=digest,
                    content=text,
                )
                await connection.notify(CRYPTO_CHANNEL, TO_SEAL)
            return await self._wait(txn_id, digest, hint)
        finally:
            self._waiting[txn_id].discard(hint)
            if not self._waiting[txn_id]:
                del self._waiting[txn_id]

    async def over(self, txn_id: str) -> None:
        """It is in its room: the encrypted form is not needed any more."""
        await self._database.execute(self._sql["over"], txn_id=txn_id)

    async def _wait(self, txn_id: str, digest: str, hint: asyncio.Event) -> Mapping[str, JSON]:
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE.total_seconds()
        while True:
            hint.clear()
            row = await self._database.fetch_one(self._sql["look"], txn_id=txn_id, digest=digest)
            if row is not None and row["problem"] is not None:
                raise CannotSealError(row["problem"])
            if row is not None and row["sealed"] is not None:
                sealed: Mapping[str, JSON] = json.loads(row["sealed"])
                return sealed
            left = until - loop.time()
            if row is None or left <= 0:
                raise SealLaterError("nobody has encrypted it yet")
            try:
                async with asyncio.timeout(min(left, _LOOK.total_seconds())):
                    await hint.wait()
            except TimeoutError:
                pass

    def _hinted(self, payload: str) -> None:
        if payload.startswith(SEALED):
            for hint in self._waiting.get(payload.removeprefix(SEALED), ()):
                hint.set()
