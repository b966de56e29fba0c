"""A turn held still: its lane is locked, so that no worker begins, answers or ends it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.turns.records import kind_of_lane

ResultT = TypeVar("ResultT")


class HeldTurns:
    """Turns by their trigger ids, from outside the worker that may be running them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "held", database.dialect)

    async def hold(
        self,
        trigger_id: str,
        run: Callable[[Connection, Row], Awaitable[ResultT]],
        *,
        and_lane: str | None = None,
    ) -> ResultT | None:
        """Run something in one transaction with the turn's lane; None when there is no such turn.

        `run` gets the turn's row, read under the lock, with `changes` (a step may have changed
        the world), `changing` (such a step has begun and not ended) and `said` (something is in
        a room). `and_lane` is locked, too, and made where there is none.
        """
        while found := await self._database.fetch_one(self._sql["find"], trigger_id=trigger_id):
            async with self._database.transaction() as connection:
                for lane in sorted({found["lane"], and_lane or found["lane"]}):
                    await connection.fetch_one(
                        self._sql["hold_lane"], key=lane, kind=kind_of_lane(lane).value
                    )
                # A statement of its own: it sees all that was committed before the lock.
                turn = await connection.fetch_one(self._sql["held"], trigger_id=trigger_id)
                if turn is not None and turn["lane"] == found["lane"]:
                    return await run(connection, turn)
        return None
