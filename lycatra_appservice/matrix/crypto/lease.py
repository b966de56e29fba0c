"""Who may use the keys: one replica at a time, and whoever lost the right can write nothing."""

from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError

CRYPTO_CHANNEL: Final = "lycatra_crypto"
FREE: Final = "free"  # on it: nobody holds the keys
MISSED: Final = "missed"  # on it: a key has not come, and may wait at the homeserver


class KeysLostError(LycatraError):
    """Another replica has the keys now; nothing of what was being done has been written."""


class KeyLease:
    """The right to the keys, in the database. `fence` is None while it is not ours.

    Every transaction that touches keys holds the row, so a takeover waits for its end.
    """

    def __init__(self, database: Database, owner: str, span: timedelta) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "lease", database.dialect)
        self._owner = owner
        self._span_ms = int(span.total_seconds() * 1000)
        self._fence: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this replica has it, as far as it knows."""
        return self._fence is not None

    async def take(self) -> bool:
        """Take it if nobody holds it (any more)."""
        row = await self._database.fetch_one(
            self._sql["take"], owner=self._owner, lease_ms=self._span_ms
        )
        self._fence = None if row is None else int(row["fence"])
        return self.is_held

    async def renew(self) -> None:
        """Hold it longer. Raises KeysLostError."""
        row = await self._database.fetch_one(
            self._sql["renew"], lease_ms=self._span_ms, **self._mine()
        )
        self._expect(row)

    async def give_back(self) -> None:
        """Let another replica take it at once."""
        async with self._database.transaction() as connection:
            await connection.fetch_one(self._sql["give_back"], **self._mine())
            await connection.notify(CRYPTO_CHANNEL, FREE)
        self._fence = None

    def lose(self) -> None:
        """Know that it is not ours any more."""
        self._fence = None

    async def check(self, connection: Connection) -> None:
        """Hold it until this transaction ends. Raises KeysLostError."""
        self._expect(await connection.fetch_one(self._sql["check"], **self._mine()))

    async def holder(self) -> str | None:
        """The replica that has the keys, or had them last."""
        row = await self._database.fetch_one(self._sql["holder"])
        return None if row is None else str(row["owner"])

    def _mine(self) -> dict[str, object]:
        return {"owner": self._owner, "fence": -1 if self._fence is None else self._fence}

    def _expect(self, row: object) -> None:
        if row is None:
            self._fence = None
            raise KeysLostError("another replica has the keys")
