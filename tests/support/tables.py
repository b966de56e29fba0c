"""Reading the service's tables beside it, as an operator with a database client would."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import asyncpg

from lycatra_appservice.db.open import sqlite_path
from tests.support.waiting import until


class Tables:
    """The rows of one database; every call opens it anew, so it may be restarted meanwhile."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def rows(self, statement: str) -> Sequence[Mapping[str, Any]]:
        """All rows of a SELECT."""
        path = sqlite_path(self._url)
        if path is None:
            connection = await asyncpg.connect(self._url)
            try:
                return [dict(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as reader:
            reader.row_factory = sqlite3.Row
            return [dict(row) for row in reader.execute(statement)]

    async def turn(self, trigger_id: str) -> Mapping[str, Any] | None:
        """The turn of an event, if it is stored."""
        for row in await self.rows("SELECT * FROM turn"):
            if row["trigger_id"] == trigger_id:
                return row
        return None

    async def until_stored(self, trigger_id: str) -> None:
        """Return when an event has its turn."""

        async def stored() -> bool:
            return await self.turn(trigger_id) is not None

        await until(stored, f"a turn for {trigger_id}")

    async def until_state(self, trigger_id: str, *states: str) -> None:
        """Return when the turn of an event is in one of these states."""

        async def reached() -> bool:
            turn = await self.turn(trigger_id)
            return turn is not None and turn["state"] in states

        await until(reached, f"{trigger_id} in state {' or '.join(states)}")

    async def unfinished(self) -> Sequence[Mapping[str, Any]]:
        """Turns and send rows that are still open."""
        return [
            *await self.rows(
                "SELECT trigger_id, state FROM turn WHERE state IN ('queued','running','sending')"
            ),
            *await self.rows(
                "SELECT trigger_id, n FROM send WHERE sent_at IS NULL AND dropped IS NULL"
            ),
        ]

    async def until_idle(self) -> None:
        """Return when nothing is left to do."""

        async def idle() -> bool:
            return not await self.unfinished()

        await until(idle, "the end of all work")
