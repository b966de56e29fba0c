"""One line of the audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from lycatra_appservice.model import RoomID, UserID

# The outcome of the first of two entries about a call that changes something. When no other one
# follows, it may or may not have happened.
STARTED: Final = "started"


class Ruling(StrEnum):
    """What the gate, or a person, decided about a call."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    NEEDS_APPROVAL = "needs_approval"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that happened to a call.

    `call` is the same for all entries about one call; there is at most one of each ruling and
    outcome. `person` is for whom it was made, `approvers` are who decided about it. `outcome` is
    empty for what only decides. `trigger_id` and `run` name the turn, where there is one.
    `arguments` is JSON as it may be shown, `arguments_hash` is equal for equal calls; both go
    when the question is taken back. `reference` finds a traceback in the log.

    `face` and `ruling` are values of Face and Ruling; those of a newer version are kept as well.
    """

    call: str
    person: UserID
    face: str
    tool: str
    ruling: str
    outcome: str = ""
    room_id: RoomID | None = None
    trigger_id: str | None = None
    run: int = 0
    took_ms: int | None = None
    arguments: str | None = None
    arguments_hash: str | None = None
    approval: str | None = None
    approvers: Sequence[UserID] = ()
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An entry as it is kept; `at` is the database's time, aware, UTC."""

    id: int
    at: datetime
    entry: Entry
