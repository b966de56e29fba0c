"""The tables of the budgets: pace, exchanges between bots, and what models were used for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Final

from lycatra_appservice.budgets.limits import Payer
from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import RoomID, UserID

_MILLISECOND: Final = timedelta(milliseconds=1)
_MINUTE_MS: Final = 60_000
# Nobody reads an answer and writes a further question so quickly, twenty times in a row.
HASTE: Final = timedelta(seconds=15)
REST: Final = timedelta(minutes=1)  # of silence, before an exchange that went on too long is over


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeKey:
    """One request to a model, the same however often its step is written: it is charged once."""

    trigger_id: str
    run: int
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a request took; `is_estimated`: the server did not count."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    is_estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysUse:
    """The tokens that a person, and all people of a room, have used on one day."""

    of_person: int
    of_room: int
    is_estimated: bool  # some of the person's


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedTokens:
    """The use of one day, by whom, where, as what and of which model."""

    day: date
    person: UserID
    room_id: RoomID | None
    level: str
    model: str
    tokens: int
    questions: int
    is_estimated: bool


class BudgetStore:
    """Reads and writes the tables; decides nothing but what takes a lock to decide."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "budgets", database.dialect)

    async def take_turn(
        self, connection: Connection, key: str, per_minute: int
    ) -> timedelta | None:
        """Take one of so many turns a minute, 1 or more; else say how long to wait."""
        each_ms = ceil(_MINUTE_MS / per_minute)
        window = {"key": key, "each_ms": each_ms, "window_ms": max(_MINUTE_MS, each_ms)}
        if await connection.fetch_one(self._sql["take_pace"], **window) is not None:
            return None
        row = await connection.fetch_one(self._sql["wait_for_pace"], **window)
        return timedelta(milliseconds=max(row["wait_ms"] if row else 0, 1))

    async def give_back_turn(self, connection: Connection, key: str, per_minute: int) -> None:
        """Undo what was taken by the same transaction."""
        each_ms = ceil(_MINUTE_MS / per_minute)
        await connection.execute(self._sql["give_back_pace"], key=key, each_ms=each_ms)

    async def follow_exchange(
        self, connection: Connection, room_id: RoomID, person: UserID, came_at_ms: int, most: int
    ) -> int:
        """Count a question; return how many in a row came at the pace of a bot.

        `came_at_ms` is when it was sent, by the database's clock. Above `most` the exchange is
        closed, until there was silence for a while.
        """
        row = await connection.fetch_one(
            self._sql["follow_exchange"],
            room=room_id,
            person=person,
            came_at=came_at_ms,
            most=most,
            haste_ms=HASTE // _MILLISECOND,
            rest_ms=REST // _MILLISECOND,
        )
        return int(row["answers"]) if row else 0

    async def spent(
        self, payer: Payer, day: date, connection: Connection | None = None
    ) -> DaysUse:
        """What was used on a day."""
        row = await (connection or self._database).fetch_one(
            self._sql["spent"], person=payer.person, room=payer.room_id, day=day.isoformat()
        )
        if row is None:
            return DaysUse(of_person=0, of_room=0, is_estimated=False)
        return DaysUse(
            of_person=row["of_person"],
            of_room=row["of_room"],
            is_estimated=bool(row["estimated"]),
        )

    async def charge(
        self, connection: Connection, key: ChargeKey, payer: Payer, spent: Spent, day: date
    ) -> None:
        """Write down what a request took, in the transaction that keeps its answer."""
        await connection.execute(
            self._sql["charge"],
            trigger_id=key.trigger_id,
            run=key.run,
            step=key.step,
            day=day.isoformat(),
            person=payer.person,
            room=payer.room_id,
            level=payer.level.name.lower(),
            model=spent.model,
            prompt_tokens=max(spent.prompt_tokens, 0),
            completion_tokens=max(spent.completion_tokens, 0),
            estimated=int(spent.is_estimated),
        )
        await connection.execute(self._sql["note_answer"], room=payer.room_id, person=payer.person)

    async def used_since(self, day: date) -> Sequence[UsedTokens]:
        """All use since a day, that one included."""
        rows = await self._database.fetch(self._sql["usage_since"], day=day.isoformat())
        return [
            UsedTokens(
                day=date.fromisoformat(row["day"]),
                person=UserID(row["person"]),
                room_id=RoomID(row["room"]) if row["room"] else None,
                level=row["level"],
                model=row["model"],
                tokens=row["tokens"],
                questions=row["questions"],
                is_estimated=bool(row["estimated"]),
            )
            for row in rows
        ]

    async def forget(self, before: date) -> None:
        """Erase the use before a day, and what no limit needs any more."""
        await self._database.execute(self._sql["forget_usage"], day=before.isoformat())
        await self._database.execute(self._sql["forget_pace"])
        await self._database.execute(
            self._sql["forget_exchanges"], keep_ms=2 * REST // _MILLISECOND
        )
