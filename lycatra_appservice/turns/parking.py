"""The worker's side of approvals: a turn is put aside for one, and comes back to use it."""

from collections.abc import Sequence
from typing import Final

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import Outgoing, RoomID, SendKind
from lycatra_appservice.turns.approvals import (
    Approval,
    ApprovalSpentError,
    ApprovalState,
    CodeTakenError,
    NewApproval,
    Withdrawal,
    approval_of,
    card_trigger,
    judge_trigger,
    parameters_of,
)
from lycatra_appservice.turns.delivery import SendRow
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import (
    CancelledByPersonError,
    StoredTurn,
    Trigger,
    send_parameters,
)

_EARLY: Final = "early"
_LATE: Final = "late"


class Parking:
    """Every method runs in a transaction whose caller holds the turn's lane, or its fence."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inbox = Inbox(database)
        self._sql = Statements.load(__package__, "approvals", database.dialect)
        self._turns = Statements.load(__package__, "turns", database.dialect)

    async def approvals(self, turn: StoredTurn) -> Sequence[Approval]:
        """What this run of a turn has asked people before, the oldest first."""
        rows = await self._database.fetch(self._sql["of_turn"], turn_id=turn.id, run=turn.first_n)
        return [approval_of(row) for row in rows]

    async def park(
        self,
        connection: Connection,
        turn: StoredTurn,
        new: NewApproval,
        first_n: int,
        rows: Sequence[Outgoing],
    ) -> int:
        """Write the approval and its card's rows, and let the turn wait; return its number.

        Exactly one of the rows is the card. Raises CodeTakenError, or CancelledByPersonError for
        a turn that was taken back.
        """
        [card_n] = [n for n, out in enumerate(rows, first_n) if out.kind is SendKind.CARD]
        inserted = await connection.fetch_one(
            self._sql["insert_approval"],
            turn_id=turn.id,
            trigger_id=turn.trigger_id,
            run=turn.first_n,
            first_n=first_n,
            sends=len(rows),
            card_n=card_n,
            **parameters_of(new),
        )
        if inserted is None:
            raise CodeTakenError(f"the code {new.code!r} is taken")
        approval_id = int(inserted["id"])
        for n, out in enumerate(rows, first_n):
            await connection.fetch_one(self._turns["insert_send"], **send_parameters(turn, n, out))
        parked = await connection.fetch_one(
            self._sql["park_turn"], turn_id=turn.id, approval=approval_id
        )
        if parked is None:
            raise CancelledByPersonError(f"turn {turn.trigger_id!r} was taken back")
        return approval_id

    async def use(self, connection: Connection, approval: Approval) -> None:
        """Use it up, in the transaction that journals the call as started.

        Raises ApprovalSpentError when there is nothing to use, CancelledByPersonError when the
        turn was taken back: from here on it no longer can be.
        """
        turn = await connection.fetch_one(
            self._turns["is_cancel_requested"], turn_id=approval.turn_id
        )
        if turn is not None and turn["cancel_requested"]:
            raise CancelledByPersonError(f"turn {approval.trigger_id!r} was taken back")
        used = await connection.fetch_one(
            self._sql["use"], approval=approval.id, args_hash=approval.args_hash
        )
        if used is None:
            raise ApprovalSpentError(f"approval {approval.code!r} cannot be used")

    async def join_votes(self, connection: Connection, row: SendRow, card: str) -> None:
        """Find the votes that came before it was known which event the card is.

        Under a lock that voters take, too: of a vote and the mark of its card, whoever comes
        second sees the other. To be called before the row is marked, for the order of locks.
        """
        await connection.fetch_one(self._sql["lock_target"], target=card)
        found = await connection.fetch_one(self._sql["of_card_row"], turn_id=row.turn_id, n=row.n)
        if found is None:
            return
        early = await connection.fetch(
            self._sql["join_early_votes"], target=card, approval=found["id"]
        )
        triggers: list[Trigger] = []
        if early:
            triggers.append(judge_trigger(found["id"], RoomID(found["card_room"]), _EARLY))
        if found["state"] != ApprovalState.OPEN:
            triggers.append(card_trigger(found["id"], _LATE))
        if triggers:
            await self._inbox.store_with(connection, triggers)

    async def withdraw_unshown(self, connection: Connection, turn: StoredTurn) -> None:
        """Let the turn go on whose card will never be in its room."""
        for row in await connection.fetch(
            self._sql["withdraw_unshown"], turn_id=turn.id, why=Withdrawal.NOT_SHOWN.value
        ):
            await connection.fetch_one(self._sql["wake_turn"], turn_id=turn.id, approval=row["id"])
