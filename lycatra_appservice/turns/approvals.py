"""Approvals as they stand in their table: what people are asked, and what became of it."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from lycatra_appservice.db.connection import Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON, EventID, Face, LaneKind, RoomID, UserID
from lycatra_appservice.turns.delivery import SendRow
from lycatra_appservice.turns.records import Trigger, lane_of_room, object_of, send_of

CARD: Final = "card"  # of the trigger id of a turn that shows on its card how an approval ended
JUDGE: Final = "judge"  # of the trigger id of a turn that reads votes which came too early

# Easy to read aloud and to type: no letter that looks like a digit. A million codes.
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_CODE_LETTERS: Final = 4


class ApprovalState(StrEnum):
    """Where an approval stands; all but the first two are its end."""

    OPEN = "open"
    APPROVED = "approved"  # the call may begin, once
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    USED = "used"  # the call has begun


class Withdrawal(StrEnum):
    """Why an approval was withdrawn."""

    STOPPED = "stopped"  # by who asked, or who may stop it
    ASKED_ANEW = "asked_anew"  # the request has other words now
    SUPERSEDED = "superseded"  # a newer request is about the same
    ROOM_LEFT = "room_left"  # nobody of us is there any more
    NOT_SHOWN = "not_shown"  # the card could not be sent, or was taken away
    TOOL_GONE = "tool_gone"


class CallOutcome(StrEnum):
    """What came of a call that was approved."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"  # it had begun, and nobody knows


class CodeTakenError(LycatraError):
    """Another approval has this code; another one has to be thought of."""


class ApprovalSpentError(LycatraError):
    """The approval is not there to be used: used already, withdrawn, or for other arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApproval:
    """What to ask people about. `args` are run as they stand here; `shown` is for the card.

    Whatever waits for the same `tool` and `target` in the card's room is superseded.
    """

    code: str
    face: Face
    step_name: str
    requester: UserID
    room_id: RoomID
    card_room: RoomID
    tool: str
    target: str
    args: Mapping[str, JSON]
    args_hash: str
    shown: Mapping[str, JSON]
    rule: Mapping[str, JSON]
    lifetime: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An approval as it stood a moment ago. `card` is None as long as the card is not out.

    `args` and `shown` are empty when they were erased.
    """

    id: int
    code: str
    turn_id: int | None
    trigger_id: str | None
    step_name: str
    first_n: int
    sends: int
    requester: UserID
    room_id: RoomID | None
    card_room: RoomID | None
    tool: str
    args: Mapping[str, JSON]
    args_hash: str
    shown: Mapping[str, JSON]
    rule: Mapping[str, JSON]
    state: ApprovalState
    why: str | None
    outcome: CallOutcome | None
    superseded_by: int | None
    decided_by: tuple[UserID, ...]
    card: EventID | None
    card_sender: UserID | None
    is_due: bool  # its time is over, whether or not somebody has noticed

    @property
    def is_open(self) -> bool:
        """Whether it can still be voted on."""
        return self.state is ApprovalState.OPEN and not self.is_due


def new_code() -> str:
    """A code for a card."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LETTERS))


def card_trigger(approval_id: int, occasion: str) -> Trigger:
    """The turn that shows on the card how it stands; one for each occasion."""
    return Trigger(
        id=f"{CARD}:{approval_id}:{occasion}",
        lane=f"{CARD}:{approval_id}|{LaneKind.CONTROL}",
        kind=LaneKind.CONTROL,
        input="{}",
    )


def judge_trigger(approval_id: int, room_id: RoomID, occasion: str) -> Trigger:
    """The turn that reads the votes anew, in the lane in which the room's votes are read."""
    return Trigger(
        id=f"{JUDGE}:{approval_id}:{occasion}",
        lane=lane_of_room(room_id, LaneKind.CONTROL),
        kind=LaneKind.CONTROL,
        input="{}",
    )


def approval_of(row: Row) -> Approval:
    """Read an approval from its row."""
    return Approval(
        id=row["id"],
        code=row["code"],
        turn_id=row["turn_id"],
        trigger_id=row["trigger_id"],
        step_name=row["step_name"],
        first_n=row["first_n"],
        sends=row["sends"],
        requester=UserID(row["requester"]),
        room_id=RoomID(row["room"]) if row["room"] else None,
        card_room=RoomID(row["card_room"]) if row["card_room"] else None,
        tool=row["tool"],
        args=object_of(row["args"]),
        args_hash=row["args_hash"],
        shown=object_of(row["shown"]),
        rule=object_of(row["rule"]),
        state=ApprovalState(row["state"]),
        why=row["why"],
        outcome=CallOutcome(row["outcome"]) if row["outcome"] else None,
        superseded_by=row["superseded_by"],
        decided_by=tuple(UserID(each) for each in (row["decided_by"] or "").split()),
        card=EventID(row["card"]) if row["card"] else None,
        card_sender=UserID(row["card_sender"]) if row["card_sender"] else None,
        is_due=bool(row["is_due"]),
    )


def parameters_of(new: NewApproval) -> dict[str, object]:
    """The part of an approval's row that whoever asks for it knows."""
    return {
        "code": new.code,
        "face": new.face.value,
        "step_name": new.step_name,
        "requester": new.requester,
        "room": new.room_id,
        "card_room": new.card_room,
        "tool": new.tool,
        "target": new.target,
        "args": json.dumps(new.args),
        "args_hash": new.args_hash,
        "shown": json.dumps(new.shown),
        "rule": json.dumps(new.rule),
        "lifetime_ms": round(new.lifetime / timedelta(milliseconds=1)),
    }


class Approvals:
    """Reads, and locks nothing: what is read may be different a moment later."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "approvals", database.dialect)

    async def get(self, approval_id: int) -> Approval | None:
        """An approval by its number."""
        return await self._one("get", approval=approval_id)

    async def by_code(self, code: str) -> Approval | None:
        """An approval by what its card shows, in whatever case it was typed."""
        return await self._one("by_code", code=code.strip().upper())

    async def by_card(self, event_id: EventID) -> Approval | None:
        """The approval that a message of ours is the card of."""
        return await self._one("by_card", event_id=event_id)

    async def begun(self, trigger_id: str) -> Approval | None:
        """The approval of a turn whose call is being made now."""
        return await self._one("begun_of_trigger", trigger_id=trigger_id)

    async def latest(self, trigger_id: str) -> Approval | None:
        """What a turn has asked people for last."""
        return await self._one("latest_of_trigger", trigger_id=trigger_id)

    async def open_in(self, room_id: RoomID) -> Sequence[Approval]:
        """The approvals that wait for somebody here, or that were asked for here."""
        rows = await self._database.fetch(self._sql["open_in_room"], room=room_id)
        return [approval for row in rows if (approval := approval_of(row)).is_open]

    async def card_is_settled(self, approval_id: int) -> bool:
        """Whether the card is out, or never will be."""
        row = await self._database.fetch_one(self._sql["card_state"], approval=approval_id)
        return row is None or row["event_id"] is not None or row["dropped"] is not None

    async def given_up_card(self, approval_id: int) -> SendRow | None:
        """The row of a card that was dropped with its turn: it may be in its room all the same."""
        row = await self._database.fetch_one(self._sql["given_up_card"], approval=approval_id)
        return send_of(row) if row else None

    async def _one(self, statement: str, **parameters: object) -> Approval | None:
        row = await self._database.fetch_one(self._sql[statement], **parameters)
        return approval_of(row) if row else None
