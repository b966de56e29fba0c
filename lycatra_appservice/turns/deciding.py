"""The end of a wait: decided, expired or withdrawn, each by one transaction that also wakes."""

from collections.abc import Callable, Sequence
from typing import Final

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import RoomID
from lycatra_appservice.turns.approvals import (
    ApprovalState,
    CallOutcome,
    Withdrawal,
    card_trigger,
)
from lycatra_appservice.turns.held import HeldTurns
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import TURN_CHANNEL, kind_of_lane
from lycatra_appservice.turns.votes import Vote

_DECISIONS: Final = {True: ApprovalState.APPROVED, False: ApprovalState.DENIED}


class Deciding:
    """Ends approvals. Locks, as everybody does, the turn's lane first; then turn, then approval.

    Of all who want to end one at the same time exactly one does, and hears True. With the same
    commit its turn becomes the next of its lane, and its card is to be edited.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held = HeldTurns(database)
        self._inbox = Inbox(database)
        self._sql = Statements.load(__package__, "approvals", database.dialect)
        self._turns = Statements.load(__package__, "turns", database.dialect)

    async def decide(self, approval_id: int, votes: Sequence[Vote], *, approved: bool) -> bool:
        """Approve or deny on the ground of these votes, if all of them still stand.

        False also when the time is over.
        """
        return await self._end(approval_id, _DECISIONS[approved], votes=votes)

    async def withdraw(
        self, approval_id: int, why: Withdrawal, *, superseded_by: int | None = None
    ) -> bool:
        """Take back an approval that nobody has decided about."""
        return await self._end(
            approval_id, ApprovalState.WITHDRAWN, why=why, superseded_by=superseded_by
        )

    async def withdraw_room(self, room_id: RoomID) -> int:
        """Take back what is waited for in a room that we are no longer in; how many."""
        rows = await self._database.fetch(self._sql["open_ids_in_room"], room=room_id)
        return sum([await self.withdraw(row["id"], Withdrawal.ROOM_LEFT) for row in rows])

    async def withdraw_gone(self, is_gone: Callable[[str], bool]) -> int:
        """Take back what is waited for of tools that are not there any more; how many."""
        rows = await self._database.fetch(self._sql["open_tools"])
        gone = [row["id"] for row in rows if is_gone(row["tool"])]
        return sum([await self.withdraw(each, Withdrawal.TOOL_GONE) for each in gone])

    async def supersede(self, newer: int | None = None) -> int:
        """Take back what a newer request is about, too: `newer`, or any; how many."""
        rows = await self._database.fetch(self._sql["superseded"], newer=newer)
        return sum(
            [
                await self.withdraw(
                    row["id"], Withdrawal.SUPERSEDED, superseded_by=row["superseded_by"]
                )
                for row in rows
            ]
        )

    async def expire(self) -> int:
        """End those whose time is over; how many."""
        rows = await self._database.fetch(self._sql["due"])
        return sum([await self._end(row["id"], ApprovalState.EXPIRED) for row in rows])

    async def conclude(self, approval_id: int, outcome: CallOutcome) -> None:
        """Say what came of the call; doing the same again changes nothing."""
        async with self._database.transaction() as connection:
            if await connection.fetch_one(
                self._sql["conclude"], approval=approval_id, outcome=outcome.value
            ):
                await self._inbox.store_with(connection, [card_trigger(approval_id, outcome)])

    async def conclude_abandoned(self) -> int:
        """Say of calls whose turns have ended what is known of them; how many.

        Of those that had begun nobody knows; those that had not will not any more.
        """
        rows = await self._database.fetch(self._sql["abandoned"])
        for row in rows:
            if row["state"] == ApprovalState.USED:
                await self.conclude(row["id"], CallOutcome.UNKNOWN)
            else:
                await self._give_up(row["id"])
        return len(rows)

    async def withdraw_of_turn(
        self, connection: Connection, turn_id: int, why: Withdrawal
    ) -> None:
        """Take back what a turn has asked for, in a transaction that holds its lane."""
        rows = await connection.fetch(
            self._sql["withdraw_of_turn"], turn_id=turn_id, why=why.value
        )
        await self._show(connection, [row["id"] for row in rows], ApprovalState.WITHDRAWN)

    async def _give_up(self, approval_id: int) -> None:
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                self._sql["give_up"], approval=approval_id, why=Withdrawal.STOPPED.value
            )
            await self._show(connection, [row["id"] for row in rows], ApprovalState.WITHDRAWN)

    async def _show(self, connection: Connection, approvals: Sequence[int], occasion: str) -> None:
        if approvals:
            triggers = [card_trigger(each, occasion) for each in approvals]
            await self._inbox.store_with(connection, triggers)

    async def _end(
        self,
        approval_id: int,
        state: ApprovalState,
        *,
        why: Withdrawal | None = None,
        superseded_by: int | None = None,
        votes: Sequence[Vote] = (),
    ) -> bool:
        found = await self._database.fetch_one(self._sql["get"], approval=approval_id)
        if found is None or found["state"] != ApprovalState.OPEN or found["trigger_id"] is None:
            return False

        async def end(connection: Connection, turn: Row) -> bool:
            if not await self._still_stand(connection, approval_id, votes):
                return False
            ended = await connection.fetch_one(
                self._sql["end"],
                approval=approval_id,
                state=state.value,
                by=" ".join(vote.voter for vote in votes) or None,
                why=why.value if why else None,
                superseded_by=superseded_by,
            )
            if ended is None:
                return False
            await self._wake(connection, turn["id"], approval_id)
            await self._show(connection, [approval_id], state)
            return True

        return await self._held.hold(found["trigger_id"], end) or False

    async def _still_stand(
        self, connection: Connection, approval_id: int, votes: Sequence[Vote]
    ) -> bool:
        """Read under the lane's lock: one of them may have been taken back a moment ago."""
        if not votes:
            return True
        rows = await connection.fetch(self._sql["live_votes"], approval=approval_id)
        return {vote.event_id for vote in votes} <= {row["event_id"] for row in rows}

    async def _wake(self, connection: Connection, turn_id: int, approval_id: int) -> None:
        row = await connection.fetch_one(
            self._sql["wake_turn"], turn_id=turn_id, approval=approval_id
        )
        if row is not None:
            lane = row["lane"]
            await connection.execute(
                self._turns["ready_lane"], key=lane, kind=kind_of_lane(lane).value
            )
            await connection.notify(TURN_CHANNEL)
