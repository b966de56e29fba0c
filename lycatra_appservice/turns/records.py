"""The frozen values of the turn engine: what stands in its rows, in Python's types."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Row
from lycatra_appservice.errors import LycatraError, TurnOverError
from lycatra_appservice.model import JSON, EventID, LaneKind, Outgoing, RoomID, SendKind, UserID
from lycatra_appservice.turns.delivery import SendRow

# Rises only when the steps of a turn change so that an older program could not replay them.
JOURNAL_MIN: Final = 1
JOURNAL_MAX: Final = 1

# An apology's row, counted from the run's first one; far above what a handler sends, so that its
# transaction id is its own.
APOLOGY_N: Final = 1000

_MAX_CAUSE: Final = 1000  # characters
MAX_FAILURES: Final = 3
MAX_STARTS: Final = 5  # a turn that kills its process never gets to record a failure
ORPHANED: Final = "orphaned journal"  # stands in turn.error: no live replica can replay it

# Why a row was dropped that may have gone out all the same, if it was just being sent.
CANCELLED: Final = "cancelled"
ASKED_ANEW: Final = "asked anew"

TURN_CHANNEL: Final = "lycatra_turn"
CANCEL_CHANNEL: Final = "lycatra_cancel"


class LaneLostError(TurnOverError):
    """Another worker owns the lane now; whoever reads this stops and writes nothing more."""


class ParkedError(LycatraError):
    """The turn waits for an approval; its handler ends here and runs again when it is decided.

    `approval_id` and the rows from `first_n` were written just now; None: in an earlier run.
    """

    def __init__(
        self, message: str, approval_id: int | None = None, first_n: int | None = None
    ) -> None:
        super().__init__(message)
        self.approval_id = approval_id
        self.first_n = first_n


class MovedError(ParkedError):
    """The turn goes on in another lane; its handler ends here and runs again from there."""


class CancelledByPersonError(TurnOverError):
    """The person took the question back; the turn ends without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What asks for a turn. `id` is an event id, or `cron:<name>:<slot>`, `hook:…`, `mcp:…`."""

    id: str
    lane: str
    kind: LaneKind
    input: str  # a JSON object; text, so that it is written once and never parsed on the way


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Something pushed to us that cannot be worked on, kept with the reason."""

    event_id: str | None
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a lane; gone when another fence stands in its row."""

    lane: str
    kind: LaneKind
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTurn:
    """The head of a claimed lane."""

    id: int
    lane: str
    trigger_id: str
    state: str
    starts: int
    failures: int
    cancel_requested: bool
    journaled: bool
    first_n: int  # of the rows that this run sends
    parks: int  # how often this run has waited for an approval
    input: Mapping[str, JSON]
    error: str | None
    created_at_ms: int  # of the database's clock
    waited: timedelta  # since then, when it was taken


@dataclass(frozen=True, slots=True)
class StoredStep:
    """A journaled step; `started` without `done` means that its outcome is unknown."""

    name: str
    done: bool
    args_hash: str
    output: JSON


@dataclass(frozen=True, slots=True)
class OpenSend:
    """A row that has to go out. `is_new`: written just now, so nobody can have sent it before."""

    row: SendRow
    is_new: bool


def is_open(row: Row) -> bool:
    """Whether a send row has neither gone out nor been dropped."""
    return row["sent_at"] is None and row["dropped"] is None


def lane_of_room(room_id: RoomID, kind: LaneKind, thread: EventID | None = None) -> str:
    """The lane of a conversation; a thread's questions have one of their own."""
    return "|".join(part for part in (room_id, thread, kind.value) if part)


def lane_in_background(room_id: RoomID, name: str) -> str:
    """The lane of what takes long, asked for in a room; what has one name comes in order."""
    return f"{room_id}|{name}|{LaneKind.BACKGROUND}"


def lane_of_job(name: str) -> str:
    """The lane of a service, a schedule or a join; `name` is stable."""
    return f"{LaneKind.JOB}|{name}"


def kind_of_lane(lane: str) -> LaneKind:
    """The kind of a lane whose row is gone, from its key."""
    for kind in LaneKind:
        if lane == kind or lane.startswith(f"{kind}|") or lane.endswith(f"|{kind}"):
            return kind
    return LaneKind.JOB


def taken_from_worker(lane: str, fence: int) -> str:
    """The hint on CANCEL_CHANNEL that a lane has this fence now, so that its worker lets go.

    A hint to end a turn as cancelled is the turn's bare id.
    """
    return f"{fence} {lane}"


def was_taken(lease: Lease, hint: str) -> bool:
    """Whether a hint says that this lease is over; one that is late may be about an older one."""
    fence, _, lane = hint.partition(" ")
    return lane == lease.lane and lease.fence < int(fence)


def turn_of(row: Row) -> StoredTurn:
    """Read a turn from its row."""
    return StoredTurn(
        id=row["id"],
        lane=row["lane"],
        trigger_id=row["trigger_id"],
        state=row["state"],
        starts=row["starts"],
        failures=row["failures"],
        cancel_requested=bool(row["cancel_requested"]),
        journaled=row["journal_ver"] is not None,
        first_n=row["first_n"],
        parks=row["parks"],
        input=object_of(row["input"]),
        error=row["error"],
        created_at_ms=row["created_at"],
        waited=timedelta(milliseconds=row["waited_ms"]),
    )


def object_of(text: str) -> Mapping[str, JSON]:
    """Read a stored input; what cannot be read is empty.

    Raising would fail the claim of every lane, so the handler has to refuse what is not there.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def cause_of(error: Exception) -> str:
    """What to keep of an error in its turn's row: short, and storable whatever is in it."""
    text = repr(error)[:_MAX_CAUSE].encode("ascii", "backslashreplace").decode()
    return text.replace("\0", "\\x00")


def send_of(row: Row) -> SendRow:
    """Read a send row; `target` is the event id of the row that `target_n` names."""
    return SendRow(
        turn_id=row["turn_id"],
        n=row["n"],
        kind=SendKind(row["kind"]),
        room_id=RoomID(row["room"]),
        sender=UserID(row["sender"]),
        txn_id=row["txn_id"],
        content=json.loads(row["content"]),
        target_n=row["target_n"],
        target=EventID(row["target"]) if row["target"] else None,
        mxc=row["mxc"] or row["target_mxc"],
        file=json.loads(row["target_file"]).get("file") if row["target_file"] else None,
        data=bytes(row["data"]) if row["data"] is not None else None,
        attempt=row["attempt"],
    )


def transaction_id(trigger_id: str, sender: UserID, n: int) -> str:
    """Name a send for the homeserver, the same after any restart.

    Never made of our own row ids: a wiped database counts them from one again, and Synapse
    answers a used transaction id with the old event. The sender is part of it, because Synapse
    (1.163) keeps one memory for all users of an application service.
    """
    digest = hashlib.sha256(f"{trigger_id}\0{sender}\0{n}".encode()).hexdigest()
    return f"lyc-{digest[:40]}"


def send_parameters(turn: StoredTurn, n: int, out: Outgoing) -> dict[str, object]:
    """Make the parameters of a new send row."""
    return {
        "turn_id": turn.id,
        "n": n,
        "trigger_id": turn.trigger_id,
        "kind": out.kind,
        "room": out.room_id,
        "sender": out.sender,
        "target_n": _target_n(turn, n, out),
        "txn_id": transaction_id(turn.trigger_id, out.sender, n),
        "content": json.dumps(out.content),
        "data": out.data,
    }


def _target_n(turn: StoredTurn, n: int, out: Outgoing) -> int | None:
    if out.rows_back is not None:
        return n - out.rows_back
    return None if out.target_n is None else turn.first_n + out.target_n
