"""The port through which the turn engine has one send row carried out, and what can come of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeAlias

from lycatra_appservice.model import JSON, EventID, RoomID, SendKind, UserID


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRow:
    """One stored thing to do in a room, as the engine hands it over.

    `target` is the event id of the earlier row that `target_n` names, None when there is none or
    when that row was dropped; a target outside the turn stands in `content`. `mxc` is, for an
    upload, the media id made in an earlier attempt, and for a message the one of its upload;
    `file` is how that one was encrypted, if it was. `attempt` counts from 0.

    What `content` holds, by kind: a message or an edit the event's content; a reaction the same,
    with `m.relates_to`; a redaction `redacts` (unless `target`) and `reason`; an upload
    `content_type` and `filename`, and `file` if it is encrypted; a join `via` (server names) and
    `alone`; a leave `reason`.
    """

    turn_id: int
    n: int
    kind: SendKind
    room_id: RoomID
    sender: UserID
    txn_id: str
    content: Mapping[str, JSON]
    target_n: int | None = None
    target: EventID | None = None
    mxc: str | None = None
    file: Mapping[str, JSON] | None = None
    data: bytes | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """It is done. `event_id` is None where none is made (join, leave, upload) or known."""

    event_id: EventID | None
    mxc: str | None = None
    was_there: bool = False  # found in the room; nothing was sent now


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not done, and nothing is wrong with the row: the same again, with the same txn id.

    `after` None leaves the pause to the engine's back-off. `mxc` is to be stored with the row
    where it is not None, so that the next attempt fills the same media id. `was_refused`: the
    homeserver has said no for now, so that surely nothing is there.
    """

    after: timedelta | None
    why: str
    mxc: str | None = None
    was_refused: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """It can never be done; the rows after it go on. `why` is for the row and the log."""

    why: str


@dataclass(frozen=True, slots=True)
class RoomLost:
    """Nobody of ours can speak in this room: every unsent row of this room and turn is dropped."""

    why: str


@dataclass(frozen=True, slots=True)
class Amended:
    """It may go out in another form: store what is not None, then try again at once.

    A new sender means a new txn id. New content under the old txn id is right, because only a
    refusal leads here, so the homeserver has not used that id.
    """

    sender: UserID | None
    content: Mapping[str, JSON] | None
    why: str


Delivery: TypeAlias = Delivered | RetryLater | Dropped | RoomLost | Amended


class Deliverer(Protocol):
    """Carries out one row. Never raises for what a homeserver may answer.

    A StoreUnavailableError of a port that it asks (is this room encrypted?) passes through.
    """

    async def deliver(self, row: SendRow, *, look_first: bool) -> Delivery:
        """Do what the row says, at most once.

        `look_first` whenever an earlier attempt may have reached the homeserver (attempt above
        0, a takeover): what is found there under the row's txn id is not sent again.
        """
