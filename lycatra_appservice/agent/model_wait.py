"""The model_wait table: requests that are under way or wait, of all replicas of a deployment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lycatra_appservice.agent.backend import ModelQueueFullError
from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Dialect, Statements
from lycatra_appservice.model import UserID

# Its payload are the ids of the requests that may begin now, parted by spaces.
MODEL_CHANNEL: Final = "lycatra_model"

# How long it counts, while others wait, that a person was served.
_REMEMBERED: Final = timedelta(minutes=10)
_FRESH: Final = 0.7  # of a lease that must be left for a place to be given: a third was missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many requests one model takes at a time, and how many may wait before a further one.

    Models of one name share their places, whichever replica asks. Each replica gives places by its
    own limit: while replicas have different ones, the largest holds.
    """

    model: str
    at_once: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a request stands: under way, or with so many to be answered before it."""

    is_running: bool
    ahead: int = 0


class WaitStore:
    """The table as one replica sees it; `owner` is unique per process start.

    Served are rounds, and within a round who came first. A request is in the round after its
    person's last one, but in no earlier one than the round that is served now. So nobody gets a
    second place before everybody who waits had one, and nobody waits for ever behind people who
    come again and again. That a person was served is known as long as somebody waits.

    Places are given under a lock of their model, in transactions that do nothing else.
    """

    def __init__(self, database: Database, owner: str, lease: timedelta) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "model_wait", database.dialect)
        self._owner = owner
        self.lease = lease
        self._lease_ms = lease // timedelta(milliseconds=1)

    async def enter(self, limit: Limit, person: UserID, *, begun: bool) -> tuple[int, Standing]:
        """Begin a request, or get in line for it; its id, and how it stands.

        Raises ModelQueueFullError when too many would be answered before it, unless the question
        that it belongs to has `begun` to be answered.
        """
        async with self._database.transaction() as connection:
            await self._lock(connection, limit)
            await self._drop(connection, limit, "drop_ended")
            row = await connection.fetch_one(
                self._sql["enter"],
                backend=limit.model,
                person=person,
                owner=self._owner,
                lease_ms=self._lease_ms,
            )
            if row is None:
                raise RuntimeError("an INSERT has returned nothing")
            entered: int = row["id"]
            if entered in await self._grant(connection, limit, besides=entered):
                return entered, Standing(is_running=True)
            waiting, running = await self._ahead(connection, entered)
            if begun or waiting < limit.waiting:
                return entered, Standing(is_running=False, ahead=waiting + running)
            await self._end(connection, limit, entered)
        raise ModelQueueFullError(f"{waiting} requests wait for {limit.model} already")

    async def leave(self, limit: Limit, request: int) -> Sequence[int]:
        """End a request, or give up waiting; the requests of this replica that may begin now."""
        async with self._database.transaction() as connection:
            await self._lock(connection, limit)
            await self._end(connection, limit, request)
            return await self._grant(connection, limit)

    async def renew(self, requests: Sequence[int]) -> set[int]:
        """Renew the leases of this replica's requests; those that still had one."""
        ids = [str(request) for request in requests]
        rows = await self._database.fetch(
            self._sql["renew"],
            owner=self._owner,
            lease_ms=self._lease_ms,
            ids=f"[{','.join(ids)}]" if self._database.dialect is Dialect.SQLITE else ids,
        )
        return {row["id"] for row in rows}

    async def look_after(self, limit: Limit) -> tuple[Mapping[int, Standing], int]:
        """Free the places of replicas that are gone, and give away what is free.

        Return how this replica's requests stand now, and how many places were freed.
        """
        async with self._database.transaction() as connection:
            await self._lock(connection, limit)
            dropped = await self._drop(connection, limit, "drop_dead")
            await self._grant(connection, limit)
            rows = await connection.fetch(
                self._sql["places"], owner=self._owner, backend=limit.model
            )
        standings = {
            row["id"]: Standing(is_running=row["state"] == "running", ahead=row["ahead"])
            for row in rows
        }
        return standings, dropped

    async def _lock(self, connection: Connection, limit: Limit) -> None:
        # A statement of its own: those after it see what was committed before the lock.
        await connection.execute(self._sql["lock"], backend=limit.model)

    async def _drop(self, connection: Connection, limit: Limit, which: str) -> int:
        rows = await connection.fetch(
            self._sql[which], backend=limit.model, owner=self._owner, lease_ms=self._lease_ms
        )
        return sum(row["state"] != "done" for row in rows)

    async def _grant(
        self, connection: Connection, limit: Limit, besides: int | None = None
    ) -> Sequence[int]:
        """Give away what is free; this replica's requests of it, others are told.

        `besides` is the only one of this replica that its caller looks for, if it looks for one.
        """
        rows = await connection.fetch(
            self._sql["grant"],
            backend=limit.model,
            at_once=limit.at_once,
            fresh_ms=int(_FRESH * self._lease_ms),
        )
        ours = [
            row["id"]
            for row in rows
            if row["owner"] == self._owner and besides in (None, row["id"])
        ]
        others = [str(row["id"]) for row in rows if row["id"] not in ours]
        if others:
            await connection.notify(MODEL_CHANNEL, " ".join(others))
        return ours

    async def _ahead(self, connection: Connection, request: int) -> tuple[int, int]:
        row = await connection.fetch_one(self._sql["ahead"], id=request)
        return (row["waiting"], row["running"]) if row else (0, 0)

    async def _end(self, connection: Connection, limit: Limit, request: int) -> None:
        which = {"id": request, "owner": self._owner, "backend": limit.model}
        await connection.execute(
            self._sql["remember"], remember_ms=_REMEMBERED // timedelta(milliseconds=1), **which
        )
        await connection.execute(self._sql["forget"], **which)
