"""Votes as they come, in whatever order with the cards that they are about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import EventID, RoomID, UserID
from lycatra_appservice.turns.approvals import Approval, approval_of, judge_trigger
from lycatra_appservice.turns.inbox import Inbox

_KEEP_UNMATCHED: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """A reaction or a message by which somebody has voted. `event_id` is that event's."""

    event_id: EventID
    voter: UserID
    yes: bool


class VoteStore:
    """The vote table. Whether a vote counts is judged by who reads them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inbox = Inbox(database)
        self._sql = Statements.load(__package__, "approvals", database.dialect)

    async def cast_on(self, vote: Vote, target: EventID, room_id: RoomID) -> Approval | None:
        """Keep a reaction to what may be a card; None when it is none that is known yet.

        It is kept for a card that may be on its way at this moment, and for nothing else.
        """
        async with self._database.transaction() as connection:
            # The lock of who marks a card: each of the two sees the other, or is seen.
            await connection.fetch_one(self._sql["lock_target"], target=target)
            row = await connection.fetch_one(self._sql["by_card"], event_id=target)
            if row is not None:
                if row["card_room"] != room_id:
                    return None
                await self._insert(connection, vote, target, row["id"])
                return approval_of(row)
            if await connection.fetch_one(self._sql["is_on_its_way"], room=room_id):
                await self._insert(connection, vote, target, None)
        return None

    async def cast(self, vote: Vote, approval: Approval) -> None:
        """Keep a vote on a known approval, which was named by its code."""
        async with self._database.transaction() as connection:
            await self._insert(connection, vote, approval.code, approval.id)

    async def withdraw(self, event_id: EventID) -> bool:
        """Take a vote back; whether there was one. What was decided stays so."""
        row = await self._database.fetch_one(self._sql["withdraw_vote"], event_id=event_id)
        return row is not None

    async def live(self, approval_id: int) -> Sequence[Vote]:
        """The votes that stand, in the order in which they came."""
        rows = await self._database.fetch(self._sql["live_votes"], approval=approval_id)
        return [
            Vote(
                event_id=EventID(row["event_id"]),
                voter=UserID(row["voter"]),
                yes=bool(row["yes"]),
            )
            for row in rows
        ]

    async def sweep(self) -> int:
        """Join votes with cards that they should have met, and forget what was about none.

        The count must stay 0: each one is a vote that the marking of its card did not see.
        """
        joined = 0
        for row in await self._database.fetch(self._sql["unmatched_votes"]):
            async with self._database.transaction() as connection:
                await connection.fetch_one(self._sql["lock_target"], target=row["target"])
                if await connection.fetch(
                    self._sql["join_early_votes"], target=row["target"], approval=row["approval"]
                ):
                    room_id = RoomID(row["card_room"])
                    trigger = judge_trigger(row["approval"], room_id, row["event_id"])
                    await self._inbox.store_with(connection, [trigger])
                    joined += 1
        keep_ms = round(_KEEP_UNMATCHED / timedelta(milliseconds=1))
        await self._database.execute(self._sql["forget_unmatched_votes"], keep_ms=keep_ms)
        return joined

    async def _insert(
        self, connection: Connection, vote: Vote, target: str, approval_id: int | None
    ) -> None:
        await connection.fetch_one(
            self._sql["insert_vote"],
            event_id=vote.event_id,
            target=target,
            approval=approval_id,
            voter=vote.voter,
            yes=int(vote.yes),
        )
