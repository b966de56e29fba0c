"""What tools want said later: a table of it, and a turn for each that begins when it is due."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON, LaneKind, RoomID, UserID
from lycatra_appservice.turns.later import Later
from lycatra_appservice.turns.records import CANCELLED, Trigger, lane_of_job

TIMER: Final = "timer"  # of the trigger id
MOST_OF_ROOM: Final = 100
MOST_OF_PERSON: Final = 50


class TooManyTimersError(LycatraError):
    """So much waits to be said already, for this person or in this room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerName:
    """Which timer: of all that are set, one at most has it."""

    namespace: str
    room_id: RoomID
    name: str

    @property
    def lane(self) -> str:
        """One for each name: who holds it, alone sets, takes back or says it."""
        return lane_of_job(f"{TIMER}|{_digest(self.namespace, self.room_id, self.name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTimer:
    """What is to be said. `asked_by` is the turn that wants it, `run` which of its runs."""

    name: TimerName
    person: UserID
    asked_by: str | None
    run: int
    after: timedelta
    input: Mapping[str, JSON]

    @property
    def trigger_id(self) -> str:
        """The same when the run of a turn is repeated after a crash."""
        name, asked = self.name, self.asked_by or ""
        key = _digest(name.namespace, name.room_id, name.name, asked, str(self.run))
        return f"{TIMER}:{key}"


class TimerTable:
    """Every change holds the lane of its name, as the worker does that says it.

    A transaction may hold the lane of a question, too; then it has taken that one before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._later = Later(database)
        self._sql = Statements.load(__package__, "timers", database.dialect)
        self._held = Statements.load(__package__, "held", database.dialect)
        self._turns = Statements.load(__package__, "turns", database.dialect)

    async def put(self, new: NewTimer) -> None:
        """Set it, in the place of one of that name that has not begun.

        Done again by the same run it changes when and what, and nothing once it has begun. Raises
        TooManyTimersError.
        """
        async with self._database.transaction() as connection:
            await self._hold(connection, new.name.lane)
            if not await self._store(connection, new):
                return
            await self._make_room(connection, new)
            await connection.execute(
                self._sql["put"],
                trigger_id=new.trigger_id,
                person=new.person,
                asked_by=new.asked_by,
                delay_ms=_milliseconds(new.after),
                **_columns(new.name),
            )

    async def drop(self, name: TimerName) -> bool:
        """Take it back; False when there is none, or when it has begun."""
        async with self._database.transaction() as connection:
            await self._hold(connection, name.lane)
            rows = await connection.fetch(self._sql["of_name"], **_columns(name))
            return any([await self._cancel(connection, row) for row in rows])

    async def waits_in(self, room_id: RoomID) -> bool:
        """Whether there is any in a room."""
        return bool(await self._database.fetch(self._sql["of_room"], room=room_id))

    async def drop_room(self, room_id: RoomID) -> int:
        """Take back all of a room; how many."""
        rows = await self._database.fetch(self._sql["of_room"], room=room_id)
        return sum([await self.drop(_name_of(row)) for row in rows])

    async def late_by(self, trigger_id: str) -> timedelta | None:
        """How long ago it was due; None for what is no timer any more."""
        row = await self._database.fetch_one(self._sql["late"], trigger_id=trigger_id)
        return None if row is None else timedelta(milliseconds=row["late_ms"])

    async def close(self, trigger_id: str) -> None:
        """It is being said, or never will be; its name is free."""
        await self._database.execute(self._sql["close"], trigger_id=trigger_id)

    async def remembers(self, trigger_id: str) -> bool:
        """Whether later turns may have read of it: they cannot."""
        return False

    async def forget_turn(self, connection: Connection, trigger_id: str) -> None:
        """Take back what a question wanted said, and erase what was said of it."""
        rows = await connection.fetch(self._sql["of_question"], trigger_id=trigger_id)
        for row in sorted(rows, key=lambda row: _name_of(row).lane):
            await self._hold(connection, _name_of(row).lane)
            if await self._cancel(connection, row) or row["finished_at"] is not None:
                await connection.execute(self._sql["erase"], turn_id=row["turn_id"])
                await connection.execute(self._turns["forget_contents"], turn_id=row["turn_id"])

    async def _make_room(self, connection: Connection, new: NewTimer) -> None:
        for row in await connection.fetch(self._sql["of_name"], **_columns(new.name)):
            if row["trigger_id"] != new.trigger_id:
                await self._cancel(connection, row)
                # Also one that is just being said: it is, and the name is free.
                await connection.execute(self._sql["close"], trigger_id=row["trigger_id"])
        counted = await connection.fetch_one(
            self._sql["count"],
            room=new.name.room_id,
            person=new.person,
            trigger_id=new.trigger_id,
        )
        if counted and (
            counted["of_room"] >= MOST_OF_ROOM or counted["of_person"] >= MOST_OF_PERSON
        ):
            raise TooManyTimersError(f"too many timers in {new.name.room_id!r}")

    async def _store(self, connection: Connection, new: NewTimer) -> bool:
        """Whether it waits now; False when a turn of this name has begun or ended."""
        trigger = Trigger(
            id=new.trigger_id,
            lane=new.name.lane,
            kind=LaneKind.JOB,
            input=json.dumps(new.input),
        )
        revived = await connection.fetch_one(
            self._sql["revive"],
            trigger_id=trigger.id,
            input=trigger.input,
            delay_ms=_milliseconds(new.after),
        )
        # In any case: the lane has to be ready in time for a revived one, too.
        stored = await self._later.store_with(connection, trigger, new.after)
        return revived is not None or stored is not None

    async def _cancel(self, connection: Connection, row: Row) -> bool:
        turn_id = row["turn_id"]
        if not await connection.fetch_one(self._turns["cancel_queued"], turn_id=turn_id):
            return False
        await connection.execute(self._turns["drop_unsent"], turn_id=turn_id, why=CANCELLED)
        await connection.execute(self._sql["erase"], turn_id=turn_id)
        await connection.execute(self._sql["close"], trigger_id=row["trigger_id"])
        return True

    async def _hold(self, connection: Connection, lane: str) -> None:
        await connection.fetch_one(self._held["hold_lane"], key=lane, kind=LaneKind.JOB.value)


def _columns(name: TimerName) -> dict[str, object]:
    return {"namespace": name.namespace, "room": name.room_id, "name": name.name}


def _name_of(row: Row) -> TimerName:
    return TimerName(namespace=row["namespace"], room_id=RoomID(row["room"]), name=row["name"])


def _milliseconds(span: timedelta) -> int:
    return max(0, round(span / timedelta(milliseconds=1)))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
