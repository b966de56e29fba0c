"""Whole replicas of the turn engine on one store."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import pytest

from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import OpenedDatabase, new_owner_id, open_database
from lycatra_appservice.model import LaneKind
from lycatra_appservice.turns.runner import DEADLINES
from lycatra_appservice.turns.turn import TurnHandler
from lycatra_appservice.turns.worker import SLOTS, WorkerTiming
from tests.support.turns import FAST, Replica, Rooms


class Replicas:
    """Makes replicas of one store and ends them with the test."""

    def __init__(self, url: str, rooms: Rooms) -> None:
        self.url = url
        self._rooms = rooms
        self._opened: list[tuple[OpenedDatabase, Replica]] = []

    async def add(
        self,
        handler: TurnHandler,
        *,
        timing: WorkerTiming = FAST,
        deadlines: Mapping[LaneKind, timedelta] = DEADLINES,
        slots: Mapping[LaneKind, int] = SLOTS,
        url: str | None = None,
    ) -> Replica:
        """Open the store as one more process; `start` it when it shall work."""
        owner = new_owner_id()
        opened = await open_database(url or self.url, owner=owner)
        await migrate(opened.database)
        replica = Replica(
            opened.database,
            opened.signals,
            owner,
            handler,
            self._rooms,
            timing,
            deadlines,
            slots,
        )
        self._opened.append((opened, replica))
        return replica

    async def close(self) -> None:
        """End all of them."""
        for opened, replica in self._opened:
            await replica.crash()
            await opened.database.close()


@pytest.fixture
def rooms() -> Rooms:
    """The homeserver's rooms."""
    return Rooms()


@pytest.fixture
async def replicas(database_url: str, rooms: Rooms) -> AsyncIterator[Replicas]:
    """Replicas on an empty store, once of each engine. Only Postgres lets two work at once."""
    made = Replicas(database_url, rooms)
    yield made
    await made.close()


@pytest.fixture
async def postgres_replicas(postgres_dsn: str, rooms: Rooms) -> AsyncIterator[Replicas]:
    """Replicas on an empty Postgres: what SQLite, with its one process, cannot show."""
    made = Replicas(postgres_dsn, rooms)
    yield made
    await made.close()
