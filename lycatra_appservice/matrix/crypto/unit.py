"""One transaction for all that one use of the keys writes, whoever of its callers writes it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statement
from lycatra_appservice.matrix.crypto.lease import KeyLease


class KeyUnits:
    """Transactions that hold the lease.

    The crypto machine calls its store in many small steps and knows no transactions; what it
    writes inside a unit goes into the one of its task. By task and not by context variable: a
    task that the machine starts inside a unit must not write into a transaction that is not its
    own, nor after its end.
    """

    def __init__(self, database: Database, lease: KeyLease) -> None:
        self._database = database
        self._lease = lease
        self._open: dict[asyncio.Task[Any] | None, Connection] = {}

    @property
    def is_open(self) -> bool:
        """Whether this task is inside of one: nothing may be asked of the homeserver then."""
        return asyncio.current_task() in self._open

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Connection]:
        """The transaction of this task, a new one if there is none. Raises KeysLostError."""
        task = asyncio.current_task()
        if task in self._open:
            yield self._open[task]
            return
        async with self._database.transaction() as connection:
            await self._lease.check(connection)
            self._open[task] = connection
            try:
                yield connection
            finally:
                del self._open[task]

    async def fetch(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        """Read in the unit of this task, or without one.

        To read needs no lease: who wrote by what is out of date would have lost it. And each
        unit that held the row would cost a flush of the database's log, for nothing.
        """
        reader = self._open.get(asyncio.current_task(), self._database)
        return await reader.fetch(statement, **parameters)

    async def fetch_one(self, statement: Statement, **parameters: object) -> Row | None:
        """Read the first row, the same way."""
        rows = await self.fetch(statement, **parameters)
        return rows[0] if rows else None
