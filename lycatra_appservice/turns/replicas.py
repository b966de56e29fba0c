"""Which replicas live, and whether they have the same tools."""

from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.turns.store import milliseconds

_SILENCE: Final = timedelta(seconds=30)  # three sightings


class Replicas:
    """What the replicas say of themselves; nothing is said by one that has not started yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "replicas", database.dialect)

    async def with_other_tools(self, tools: str) -> int:
        """How many live ones have other tools than these, by the digest of the registry."""
        row = await self._database.fetch_one(
            self._sql["with_other_tools"], tools=tools, silence_ms=milliseconds(_SILENCE)
        )
        return int(row["replicas"]) if row else 0
