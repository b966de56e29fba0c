"""What keeps the lanes alive: beats, freeing the lanes of the dead, sweeping, forgetting."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Dialect, Statements
from lycatra_appservice.turns.records import (
    JOURNAL_MAX,
    JOURNAL_MIN,
    TURN_CHANNEL,
    Lease,
    kind_of_lane,
)
from lycatra_appservice.turns.store import list_parameter, milliseconds

_KEEP_REPLICAS: Final = timedelta(days=1)  # for people who ask who was here


class Upkeep:
    """Housekeeping statements of the turn engine, for the worker's beat and for the leader."""

    def __init__(
        self, database: Database, owner: str, lease: timedelta, *, tools: str | None = None
    ) -> None:
        """`tools` tells apart replicas with different tools, see `Replicas`."""
        self._tools = tools
        self._database = database
        self._sql = Statements.load(__package__, "turns", database.dialect)
        self._owner = owner
        self._lease_ms = milliseconds(lease)

    async def beat(self, leases: Sequence[Lease]) -> set[Lease]:
        """Renew leases; return those that another worker has taken.

        A lane that we have just given back ourselves is none of them: its fence still stands.
        """
        rows = await self._database.fetch(
            self._sql["beat"],
            owner=self._owner,
            lease_ms=self._lease_ms,
            lanes=self._list([lease.lane for lease in leases]),
        )
        renewed = {(row["key"], row["fence"]) for row in rows}
        missing = [lease for lease in leases if (lease.lane, lease.fence) not in renewed]
        if not missing:
            return set()
        lanes = self._list([lease.lane for lease in missing])
        rows = await self._database.fetch(self._sql["fences"], lanes=lanes)
        fences = {row["key"]: row["fence"] for row in rows}
        return {lease for lease in missing if fences.get(lease.lane) != lease.fence}

    async def cancelled(self, leases: Sequence[Lease]) -> set[int]:
        """The turns of these lanes that people have taken back while they run."""
        lanes = self._list([lease.lane for lease in leases])
        rows = await self._database.fetch(self._sql["cancelled"], lanes=lanes)
        return {row["id"] for row in rows}

    async def free_dead(self) -> int:
        """Free the lanes of workers that are gone; return how many."""
        async with self._database.transaction() as connection:
            parameters: dict[str, object] = (
                {"owner": self._owner}
                if self._database.dialect is Dialect.SQLITE
                else {"lease_ms": self._lease_ms}
            )
            rows = await connection.fetch(self._sql["free_dead"], **parameters)
            if rows:
                await connection.notify(TURN_CHANNEL)
        return len(rows)

    async def register(self) -> None:
        """Say that this replica lives and which journals it can replay."""
        await self._database.execute(
            self._sql["insert_replica"],
            owner=self._owner,
            journal_min=JOURNAL_MIN,
            journal_max=JOURNAL_MAX,
            tools=self._tools,
        )

    async def unregister(self) -> None:
        """Say that this replica has ended, and wake the others for what it has left."""
        async with self._database.transaction() as connection:
            await connection.execute(self._sql["end_replica"], owner=self._owner)
            await connection.notify(TURN_CHANNEL)

    async def sweep(self) -> int:
        """Make lanes ready that have work and that nobody would look at; return how many.

        The count must stay 0: each one is a lost wake-up, and a bug.
        """
        corrected = 0
        for row in await self._database.fetch(self._sql["stranded_lanes"]):
            async with self._database.transaction() as connection:
                lane = row["key"]
                known = await connection.fetch_one(self._sql["lock_any_lane"], lane=lane)
                if known is None or await connection.fetch_one(
                    self._sql["is_stranded"], lane=lane
                ):
                    await connection.execute(
                        self._sql["ready_lane"], key=lane, kind=kind_of_lane(lane).value
                    )
                    await connection.notify(TURN_CHANNEL)
                    corrected += 1
        return corrected

    async def forget(
        self, *, turns: timedelta, sends: timedelta, dead_letters: timedelta
    ) -> Mapping[str, int]:
        """Erase what is older than its time, in batches; return rows by what they were.

        `turns`: after that long the texts and results of an ended turn go. `sends`: after that
        long the bare rows go, too; until then a redaction finds the answer it has to redact.
        """
        texts = rows = 0
        while batch := await self._forget_texts(milliseconds(turns)):
            texts += batch
        while batch := await self._forget_turns(milliseconds(sends)):
            rows += batch
        await self._database.execute(self._sql["forget_idle_lanes"])
        for name, kept in (
            ("forget_transactions", turns),
            ("forget_to_device", turns),
            ("forget_dead_letters", dead_letters),
            ("forget_replicas", _KEEP_REPLICAS),
        ):
            await self._database.execute(self._sql[name], keep_ms=milliseconds(kept))
        return {"texts": texts, "turns": rows}

    async def _forget_texts(self, keep_ms: int) -> int:
        async with self._database.transaction() as connection:
            rows = await connection.fetch(self._sql["forget_texts"], keep_ms=keep_ms)
            for row in rows:
                await connection.execute(self._sql["forget_steps"], turn_id=row["id"])
                await connection.execute(self._sql["forget_contents"], turn_id=row["id"])
                await connection.execute(self._sql["forget_approvals"], turn_id=row["id"])
        return len(rows)

    async def _forget_turns(self, keep_ms: int) -> int:
        return len(await self._database.fetch(self._sql["forget_turns"], keep_ms=keep_ms))

    async def figures(self) -> tuple[Mapping[tuple[str, str], int], int, float]:
        """Open turns by (state, kind), unsent rows, and how many seconds the oldest lane waits."""
        counted = await self._database.fetch(self._sql["count_turns"])
        unsent = await self._database.fetch_one(self._sql["count_unsent"])
        oldest = await self._database.fetch_one(self._sql["oldest_ready"])
        waited_ms = oldest["waited_ms"] if oldest else None
        return (
            {(row["state"], row["kind"]): row["turns"] for row in counted},
            unsent["unsent"] if unsent else 0,
            (waited_ms or 0) / 1000,
        )

    def _list(self, values: Sequence[str]) -> object:
        return list_parameter(values, self._database.dialect)
