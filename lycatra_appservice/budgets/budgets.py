"""The one place that says whether something may begin or be spent, and that charges it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from lycatra_appservice.budgets.days import day_of, until_next_day
from lycatra_appservice.budgets.limits import UNLIMITED, Allowance, Kind, Limits, Payer, Refusal
from lycatra_appservice.budgets.store import (
    REST,
    BudgetStore,
    ChargeKey,
    DaysUse,
    Spent,
    UsedTokens,
)
from lycatra_appservice.db.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How somebody stands today; `ends_in` is when the day is over."""

    used: DaysUse
    person: Allowance
    room: Allowance
    ends_in: timedelta


class Budgets:
    """For the chat, and for whatever else begins something on somebody's account.

    What takes a connection takes part in the caller's transaction.
    """

    def __init__(
        self, store: BudgetStore, limits: Limits, zone: ZoneInfo, now: Callable[[], datetime]
    ) -> None:
        """`now` gives aware times; it only decides which day it is."""
        self._store = store
        self._limits = limits
        self._zone = zone
        self._now = now

    async def may_begin(self, connection: Connection, payer: Payer) -> Refusal | None:
        """Count a turn of this minute, in a transaction; nothing is counted for who may not.

        The person's row is locked first, then the room's, by everybody: so nobody waits for
        somebody who waits for him.
        """
        person = self._limits.of_person(payer.person, payer.level).turns_per_minute
        refusal = await self._take(connection, Kind.PERSON_TURNS, payer.person, person)
        if refusal is not None or payer.room_id is None:
            return refusal
        room = self._limits.of_room().turns_per_minute
        refusal = await self._take(connection, Kind.ROOM_TURNS, payer.room_id, room)
        if refusal is not None and person < UNLIMITED:
            await self._store.give_back_turn(connection, payer.person, person)
        return refusal

    async def may_go_on(
        self, connection: Connection, payer: Payer, came_at_ms: int
    ) -> Refusal | None:
        """Whether a question is still no exchange between two bots, in a transaction.

        `came_at_ms` is when it was sent, by the database's clock.
        """
        most = self._limits.answers_in_a_row
        if payer.room_id is None:
            return None
        answers = await self._store.follow_exchange(
            connection, payer.room_id, payer.person, came_at_ms, most
        )
        return Refusal(kind=Kind.BOTS, limit=most, wait=REST) if answers > most else None

    async def may_spend(self, payer: Payer, connection: Connection | None = None) -> int | Refusal:
        """The tokens that are left today, more than 0; to be asked before each request.

        Nothing is set aside: requests that are under way at a time may all hear of the same rest,
        so what is used too much is at most one request of each.
        """
        person = self._limits.of_person(payer.person, payer.level).tokens_per_day
        room = UNLIMITED if payer.room_id is None else self._limits.of_room().tokens_per_day
        if min(person, room) >= UNLIMITED:
            return UNLIMITED
        used = await self._store.spent(payer, self.today, connection)
        if used.of_person >= person:
            return self._until_tomorrow(Kind.PERSON_TOKENS, person)
        if used.of_room >= room:
            return self._until_tomorrow(Kind.ROOM_TOKENS, room)
        return min(person - used.of_person, room - used.of_room)

    async def charge(
        self, connection: Connection, key: ChargeKey, payer: Payer, spent: Spent
    ) -> None:
        """Charge one request, in the transaction that keeps its answer; once for a key."""
        await self._store.charge(connection, key, payer, spent, self.today)

    async def standing(self, payer: Payer) -> Standing:
        """What somebody has used and may use today."""
        return Standing(
            used=await self._store.spent(payer, self.today),
            person=self._limits.of_person(payer.person, payer.level),
            room=self._limits.of_room(),
            ends_in=until_next_day(self._now(), self._zone),
        )

    @property
    def today(self) -> date:
        """The day that is charged now."""
        return day_of(self._now(), self._zone)

    async def used_in(self, days: int) -> Sequence[UsedTokens]:
        """All use of the last days, today included."""
        return await self._store.used_since(self.today - timedelta(days=days - 1))

    async def forget(self, older_than: timedelta) -> None:
        """Erase what is older, in whole days."""
        await self._store.forget(self.today - older_than)

    async def _take(
        self, connection: Connection, kind: Kind, key: str, per_minute: int
    ) -> Refusal | None:
        if per_minute >= UNLIMITED:
            return None
        if per_minute == 0:
            return Refusal(kind=kind, limit=0, wait=None)
        wait = await self._store.take_turn(connection, key, per_minute)
        return None if wait is None else Refusal(kind=kind, limit=per_minute, wait=wait)

    def _until_tomorrow(self, kind: Kind, limit: int) -> Refusal:
        wait = until_next_day(self._now(), self._zone) if limit else None
        return Refusal(kind=kind, limit=limit, wait=wait)
