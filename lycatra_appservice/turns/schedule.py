"""Durable schedules: a turn per slot, once for the whole deployment, whoever looks first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import LaneKind
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import Trigger, lane_of_job
from lycatra_appservice.turns.store import milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Something to do again and again. `name` is stable: it is part of the trigger ids."""

    name: str
    every: timedelta
    first_after: timedelta


class ScheduleStore:
    """The schedules in the database."""

    def __init__(self, database: Database, inbox: Inbox) -> None:
        self._database = database
        self._inbox = inbox
        self._sql = Statements.load(__package__, "turns", database.dialect)

    async def plan(self, schedules: Sequence[Schedule]) -> None:
        """Have exactly these, and no other any more."""
        names = {each.name for each in schedules}
        for row in await self._database.fetch(self._sql["schedule_names"]):
            if row["name"] not in names:
                await self.drop(row["name"])
        for each in schedules:
            await self.put(each)

    async def put(self, schedule: Schedule) -> None:
        """Make or change a schedule; a slot that is set stands unless it is too far off."""
        await self._database.execute(
            self._sql["put_schedule"],
            name=schedule.name,
            every_ms=milliseconds(schedule.every),
            first_ms=milliseconds(schedule.first_after),
        )

    async def drop(self, name: str) -> None:
        """End a schedule; its turns that are stored already still run."""
        await self._database.execute(self._sql["drop_schedule"], name=name)

    async def enqueue_due(self) -> int:
        """Store a job turn for every slot that has come; return how many.

        Slots missed while nobody ran are one turn, not many.
        """
        async with self._database.transaction() as connection:
            due = await connection.fetch(self._sql["due_schedules"])
            triggers = [
                Trigger(
                    id=f"cron:{row['name']}:{row['next_at']}",
                    lane=lane_of_job(row["name"]),
                    kind=LaneKind.JOB,
                    input="{}",
                )
                for row in due
            ]
            for row in due:
                await connection.execute(self._sql["advance_schedule"], name=row["name"])
            return await self._inbox.store_with(connection, triggers) if triggers else 0
