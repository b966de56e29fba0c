"""Storing what was pushed to us: one commit, and only then may the homeserver read 200."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Set
from typing import TypeAlias

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Dialect, Statements
from lycatra_appservice.errors import StoreBusyError
from lycatra_appservice.turns.echoes import Echo, Echoes
from lycatra_appservice.turns.records import TURN_CHANNEL, DeadLetter, Trigger

# Writes more into the same commit; it is told which triggers are new, if any.
Alongside: TypeAlias = Callable[[Connection, Set[str]], Awaitable[None]]

_TRIES = 3  # a deadlock's victim tries again; after that the homeserver does


class Inbox:
    """The door of the turn engine. A trigger id that is known already is no new turn."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._echoes = Echoes(database)
        self._sql = Statements.load(__package__, "turns", database.dialect)

    async def store(
        self,
        triggers: Sequence[Trigger],
        *,
        txn_id: str | None = None,
        dead_letters: Sequence[DeadLetter] = (),
        alongside: Alongside | None = None,
    ) -> int:
        """Commit all of it at once and return how many turns are new.

        Turn ids follow the order of `triggers`. Raises StoreUnavailableError when nothing was
        stored, or when it is unknown whether it was: storing it again is always safe.
        """
        is_plain = not dead_letters and alongside is None
        if is_plain and self._database.dialect is Dialect.POSTGRES:
            return await self._store_at_once(triggers, txn_id)
        for attempt in range(1, _TRIES + 1):
            try:
                async with self._database.transaction() as connection:
                    return await self._store_in(
                        connection, triggers, txn_id, dead_letters, alongside
                    )
            except StoreBusyError:
                if attempt == _TRIES:
                    raise
                await asyncio.sleep(0)
        return 0

    async def late(self, echoes: Sequence[Echo]) -> Sequence[Trigger]:
        """What is to be done about our own edits that have come back, mostly nothing."""
        return await self._echoes.repairs(echoes) if echoes else ()

    async def store_with(
        self,
        connection: Connection,
        triggers: Sequence[Trigger],
        dead_letters: Sequence[DeadLetter] = (),
        alongside: Alongside | None = None,
    ) -> int:
        """Store in somebody else's transaction, such as a schedule's step forward."""
        return await self._store_in(connection, triggers, None, dead_letters, alongside)

    async def _store_at_once(self, triggers: Sequence[Trigger], txn_id: str | None) -> int:
        if len(triggers) == 1:
            return await self._store_one(triggers[0], txn_id)
        row = await self._database.fetch_one(
            self._sql["ingest"],
            txn=txn_id,
            lanes=[trigger.lane for trigger in triggers],
            kinds=[trigger.kind.value for trigger in triggers],
            triggers=[trigger.id for trigger in triggers],
            inputs=[trigger.input for trigger in triggers],
        )
        return int(row["stored"]) if row else 0

    async def _store_one(self, trigger: Trigger, txn_id: str | None) -> int:
        row = await self._database.fetch_one(
            self._sql["ingest_one"],
            txn=txn_id,
            lane=trigger.lane,
            kind=trigger.kind.value,
            trigger_id=trigger.id,
            input=trigger.input,
        )
        return int(row["stored"]) if row else 0

    async def _store_in(
        self,
        connection: Connection,
        triggers: Sequence[Trigger],
        txn_id: str | None,
        dead_letters: Sequence[DeadLetter],
        alongside: Alongside | None,
    ) -> int:
        if txn_id is not None:
            await connection.execute(self._sql["mark_transaction"], txn=txn_id)
        for letter in dead_letters:
            await connection.execute(
                self._sql["insert_dead_letter"],
                event_id=letter.event_id,
                reason=letter.reason,
                raw=letter.raw,
            )
        new = await self._store_triggers(connection, triggers)
        if alongside is not None:
            await alongside(connection, {trigger.id for trigger in new})
        return len(new)

    async def _store_triggers(
        self, connection: Connection, triggers: Sequence[Trigger]
    ) -> Sequence[Trigger]:
        stored = [
            trigger
            for trigger in triggers
            if await connection.fetch_one(
                self._sql["insert_turn"],
                lane=trigger.lane,
                trigger_id=trigger.id,
                input=trigger.input,
            )
        ]
        kinds = {trigger.lane: trigger.kind.value for trigger in stored}
        for lane in sorted(kinds):  # the lock order of every replica
            await connection.execute(self._sql["ready_lane"], key=lane, kind=kinds[lane])
        if stored:
            await connection.notify(TURN_CHANNEL)
        return stored
