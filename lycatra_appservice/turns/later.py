"""Turns that do not begin before their time; then they are like all others."""

from datetime import timedelta

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.turns.records import Trigger


class Later:
    """Stores such turns. A head that waits holds others back.

    So either each has a lane of its own, or those of a lane are due in their order, or nearly.
    Nobody is woken: a worker's next poll after its time finds it.
    """

    def __init__(self, database: Database) -> None:
        self._sql = Statements.load(__package__, "later", database.dialect)

    async def store_with(
        self, connection: Connection, trigger: Trigger, delay: timedelta
    ) -> int | None:
        """Store one in somebody else's transaction; its turn's id, None for a known trigger."""
        delay_ms = max(0, round(delay / timedelta(milliseconds=1)))
        row = await connection.fetch_one(
            self._sql["insert_later"],
            lane=trigger.lane,
            trigger_id=trigger.id,
            input=trigger.input,
            delay_ms=delay_ms,
        )
        await connection.execute(
            self._sql["ready_lane_later"],
            key=trigger.lane,
            kind=trigger.kind.value,
            delay_ms=delay_ms,
        )
        return None if row is None else int(row["id"])
