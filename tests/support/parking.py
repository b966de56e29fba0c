"""A change that waits for an approval, at the turn engine alone."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from lycatra_appservice.db.connection import Database
from lycatra_appservice.errors import OutcomeUnknownError
from lycatra_appservice.model import JSON, EventID, Face, Outgoing, RoomID, SendKind, UserID
from lycatra_appservice.turns.approvals import (
    Approval,
    Approvals,
    ApprovalState,
    NewApproval,
    new_code,
)
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.turns.votes import Vote
from tests.support.turns import BOT, ROOM, message, query, until

CARD_ROOM = RoomID(ROOM)
ASKER = UserID("@asker:example.org")
VOTER = UserID("@voter:example.org")
STEP = "0:restart"


def new_approval(
    *,
    args: JSON = None,
    args_hash: str = "hash",
    target: str = "web",
    lifetime: timedelta = timedelta(minutes=15),
) -> NewApproval:
    """What to ask people about."""
    return NewApproval(
        code=new_code(),
        face=Face.COMMAND,
        step_name=STEP,
        requester=ASKER,
        room_id=CARD_ROOM,
        card_room=CARD_ROOM,
        tool="restart_service",
        target=target,
        args=args or {"service": "web"},
        args_hash=args_hash,
        shown={"title": "Restart"},
        rule={},
        lifetime=lifetime,
    )


def card_rows(body: str = "card") -> list[Outgoing]:
    """A card with one seed."""
    card = Outgoing(kind=SendKind.CARD, room_id=CARD_ROOM, sender=BOT, content={"body": body})
    seed = Outgoing(
        kind=SendKind.REACTION,
        room_id=CARD_ROOM,
        sender=BOT,
        content={"body": "seed"},
        rows_back=1,
    )
    return [card, seed]


class Changing:
    """The handler of a turn that asks, waits, changes and answers; `changed` is the proof."""

    def __init__(self) -> None:
        self.changed: list[str] = []
        self.begun = asyncio.Event()
        self.hold: asyncio.Event | None = None  # the change does not end before this
        self.hash_of_asking = "hash"

    async def __call__(self, turn: Turn) -> Sequence[Outgoing]:
        approval = turn.approval(STEP)
        if approval is None:
            await turn.park(new_approval(args_hash=self.hash_of_asking), card_rows())
        if approval.state not in (ApprovalState.APPROVED, ApprovalState.USED):
            return [message(f"not done: {approval.state}")]

        async def change() -> JSON:
            self.changed.append(turn.trigger_id)
            self.begun.set()
            if self.hold is not None:
                await self.hold.wait()
            return "restarted"

        said = await turn.change("change", change, approval=approval)
        return [message(str(said))]


UNKNOWN = f"sorry: {OutcomeUnknownError().user_message}"


async def approval_of(database: Database, trigger_id: str = "$a") -> Approval:
    """The last approval that a turn has asked for, when it is there."""

    async def is_there() -> bool:
        return bool(await _ids(database, trigger_id))

    await until(is_there)
    found = await Approvals(database).get((await _ids(database, trigger_id))[-1])
    assert found is not None
    return found


async def shown_card(database: Database, trigger_id: str = "$a") -> Approval:
    """The same when its card is out."""

    async def is_out() -> bool:
        approval = await approval_of(database, trigger_id)
        return approval.card is not None

    await until(is_out)
    return await approval_of(database, trigger_id)


async def _ids(database: Database, trigger_id: str) -> list[int]:
    rows = await query(
        database,
        "SELECT id FROM approval WHERE trigger_id = :trigger ORDER BY id",
        trigger=trigger_id,
    )
    return [row["id"] for row in rows]


def a_vote(n: int = 0, *, yes: bool = True, voter: UserID = VOTER) -> Vote:
    """Somebody's vote."""
    return Vote(event_id=EventID(f"$vote{n}"), voter=voter, yes=yes)
