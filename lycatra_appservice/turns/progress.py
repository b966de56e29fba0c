"""The message that shows how a slow call is getting on: rows of its turn, beside its answer.

They are numbered in a range of their own, so that the answer's rows are the same whether or not a
run has shown something. With the first of them a turn is stored that shows the end: whatever
becomes of the run, on whatever replica, nothing stays that says that somebody is at work.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Final

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import JSON, EventID, LaneKind, Outgoing, SendKind, UserID
from lycatra_appservice.turns.delivery import SendRow
from lycatra_appservice.turns.journal import Journal
from lycatra_appservice.turns.later import Later
from lycatra_appservice.turns.records import Lease, StoredTurn, Trigger, send_of
from lycatra_appservice.turns.sending import Sending

PROGRESS: Final = "progress"  # of the trigger id of the turn that shows the end

# Counted from the run's first row; above an apology's, and far above what a handler sends.
_PROGRESS_N: Final = 2000
_MOST_ROWS: Final = 1000  # of one stretch of a run, from one wait for people to the next
_FIRST_LOOK: Final = timedelta(seconds=2)  # at whether it is over
_ENDED: Final = frozenset({"done", "failed", "cancelled"})


class Showing(Enum):
    """What came of the wish to show something."""

    SHOWN = auto()
    BEHIND = auto()  # something older was sent, which had to come first
    NOWHERE = auto()  # the room does not have the message; nor will it


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownProgress:
    """A message about a call, and where its turn stands. `content` is empty when it was erased.

    `is_over`: the stretch of the run that it is about has ended. `is_settled`: nothing more will
    be sent of it. `is_doubtful`: something was given up, perhaps on its way to the room.
    """

    row: SendRow
    event_id: EventID | None
    state: str
    is_asked_anew: bool
    is_over: bool
    is_settled: bool
    is_doubtful: bool
    now_ms: int


class ProgressRows:
    """What one run of a turn shows between two waits for people."""

    def __init__(self, journal: Journal, sending: Sending, lease: Lease, turn: StoredTurn) -> None:
        self._database = database = journal.database
        self._journal = journal
        self._sending = sending
        self._lease = lease
        self._turn = turn
        self._later = Later(database)
        self._sql = Statements.load(__package__, "progress", database.dialect)
        self._first_n = turn.first_n + _PROGRESS_N + _MOST_ROWS * turn.parks

    async def show(self, message: Outgoing, edit: Mapping[str, JSON], language: str) -> Showing:
        """Send the message, or put `edit` in its place.

        What could not be sent the last time is sent first, alone: one row at most is open. Raises
        SendLaterError, LaneLostError and StoreUnavailableError; then it may be tried again.
        """
        rows = await self._database.fetch(
            self._sql["rows"], turn_id=self._turn.id, first_n=self._first_n, most=_MOST_ROWS
        )
        if rows and rows[-1]["sent_at"] is None and rows[-1]["dropped"] is None:
            await self._send(rows[-1]["n"], message)
            return Showing.BEHIND
        if not rows:
            await self._send(self._first_n, message, language)
            return Showing.SHOWN
        if rows[0]["event_id"] is None or len(rows) == _MOST_ROWS:
            return Showing.NOWHERE
        out = Outgoing(
            kind=SendKind.EDIT,
            room_id=message.room_id,
            sender=UserID(rows[0]["sender"]),  # perhaps another one had to speak
            content=edit,
            target_n=self._first_n - self._turn.first_n,
        )
        await self._send(rows[-1]["n"] + 1, out)
        return Showing.SHOWN

    async def _send(self, n: int, out: Outgoing, language: str | None = None) -> None:
        async def end_it(connection: Connection) -> None:
            if language is not None:
                trigger = self._end(n, language)
                await self._later.store_with(connection, trigger, _FIRST_LOOK)

        pending = await self._journal.write_send(self._lease, self._turn, n, out, beside=end_it)
        if pending is not None:
            await self._sending.send_now(self._lease, self._turn, pending)

    def _end(self, n: int, language: str) -> Trigger:
        turn = self._turn
        about = {"of": turn.trigger_id, "n": n, "run": turn.first_n, "parks": turn.parks}
        trigger_id = f"{PROGRESS}:{turn.trigger_id}:{n}"
        return Trigger(
            id=trigger_id,
            lane=f"{trigger_id}|{LaneKind.CONTROL}",
            kind=LaneKind.CONTROL,
            input=json.dumps({**about, "language": language}),
        )


class ProgressTable:
    """Looks at what is shown from outside of its turn."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "progress", database.dialect)

    async def find(self, about: Mapping[str, JSON]) -> ShownProgress | None:
        """By the input of the turn that shows the end; None when nothing is left of it."""
        row = await self._database.fetch_one(
            self._sql["shown"], trigger_id=about["of"], n=about["n"], most=_MOST_ROWS
        )
        if row is None:
            return None
        is_asked_anew = row["first_n"] != about["run"]
        has_waited = row["parks"] != about["parks"]
        return ShownProgress(
            row=send_of(row),
            event_id=EventID(row["event_id"]) if row["event_id"] else None,
            state=row["state"],
            is_asked_anew=is_asked_anew,
            is_over=row["state"] in _ENDED or is_asked_anew or has_waited,
            is_settled=not row["unsent"],
            is_doubtful=bool(row["doubtful"]),
            now_ms=row["now_ms"],
        )
