"""One replica of the turn engine, with the timing that it has in service, and counted turns."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import new_owner_id, open_database
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import Outgoing
from lycatra_appservice.turns.records import StoredTurn
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.turns.worker import WorkerTiming
from tests.support.turns import Replica, Rooms


class NoOp:
    """A handler with nothing to do: notes which turn starts when, in seconds of `perf_counter`."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, float]] = []

    async def handle(self, turn: Turn) -> Sequence[Outgoing]:
        """Note it."""
        self.runs.append((turn.trigger_id, time.perf_counter()))
        return ()

    async def apologise(self, stored: StoredTurn, error: LycatraError) -> Sequence[Outgoing]:
        """Never called: what does nothing cannot fail."""
        raise AssertionError(f"{stored.trigger_id} failed: {error!r}")


@asynccontextmanager
async def opened_replica(dsn: str, handler: NoOp) -> AsyncIterator[Replica]:
    """A replica that is not started yet; it is drained at the end."""
    owner = new_owner_id()
    opened = await open_database(dsn, owner=owner)
    try:
        await migrate(opened.database)
        replica = Replica(opened.database, opened.signals, owner, handler, Rooms(), WorkerTiming())
        try:
            yield replica
        finally:
            await replica.crash()
    finally:
        await opened.database.close()


async def until_ended(replica: Replica, turns: int) -> None:
    """Return when so many turns have ended, whichever way; raises TimeoutError after a minute."""
    async with asyncio.timeout(60):
        while len(replica.figures.outcomes) < turns:  # noqa: ASYNC110 (a plain list, no event)
            await asyncio.sleep(0.002)
