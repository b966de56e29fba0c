"""The draft of an answer: a message that is edited until the answer takes its place.

Its rows are numbered below zero, so that they go out before the answer's, and so that those are
the same whether or not a draft was shown. Whoever runs the turn again, on whatever replica, finds
the draft there and goes on with it. With the message a turn is stored that says the last word
when the answer does not: nothing may stay that looks as if somebody were still writing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import (
    JSON,
    EventID,
    LaneKind,
    Outgoing,
    RoomID,
    SendKind,
    UserID,
)
from lycatra_appservice.turns.delivery import SendRow
from lycatra_appservice.turns.echoes import LIVE, REPLACES
from lycatra_appservice.turns.journal import Beside, Journal
from lycatra_appservice.turns.later import Later
from lycatra_appservice.turns.progress import Showing
from lycatra_appservice.turns.records import (
    ASKED_ANEW,
    CANCELLED,
    Lease,
    StoredTurn,
    Trigger,
    is_open,
    send_of,
)
from lycatra_appservice.turns.sending import Sending

DRAFT: Final = "draft"  # of the trigger id of the turn that says the last word

_FIRST_N: Final = -1_000_000
_MOST_ROWS: Final = 1000  # of one stretch of a run, from one wait for people to the next
_FIRST_LOOK: Final = timedelta(seconds=5)  # at whether the answer has taken its place
_ENDED: Final = frozenset({"done", "failed", "cancelled"})
_GIVEN_UP: Final = frozenset({CANCELLED, ASKED_ANEW})
_SUPERSEDED: Final = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingDraft:
    """A draft that waits for its answer. `n` counts like `Outgoing.target_n`.

    `event_id` is None while it is not known whether it is in the room: it goes out before what
    is said about it. `edits` are those that were sent; `events` all that is in the room, by their
    numbers. `is_redacted`: people took it away.
    """

    n: int
    room_id: RoomID
    sender: UserID
    event_id: EventID | None
    edits: int
    events: Sequence[int]
    is_redacted: bool


class DraftRows:
    """What one run of a turn shows of its answer, between two waits for people."""

    def __init__(self, journal: Journal, sending: Sending, lease: Lease, turn: StoredTurn) -> None:
        self._database = database = journal.database
        self._journal = journal
        self._sending = sending
        self._lease = lease
        self._turn = turn
        self._later = Later(database)
        self._sql = Statements.load(__package__, "drafts", database.dialect)
        self._first_n = _FIRST_N + _MOST_ROWS * turn.parks

    async def standing(self) -> StandingDraft | None:
        """The draft that waits for its answer, begun in this run or in one before it."""
        return self._standing(await self._rows())

    async def show(
        self, first: Sequence[Outgoing], edit: Mapping[str, JSON], language: str
    ) -> Showing:
        """Send `first`, whose last row is the message, or put `edit` in the message's place.

        What the homeserver refuses for now is left out, with SendLaterError. What may be on its
        way since an earlier run goes first, alone. Raises LaneLostError and
        StoreUnavailableError, too.
        """
        rows = await self._rows()
        last = rows[-1] if rows else None
        if last is not None and is_open(last):
            if last["kind"] != SendKind.EDIT:
                await self._send(last["n"], first[-1])
                return Showing.BEHIND
            await self._drop(last)
        standing = self._standing(rows)
        n = last["n"] + 1 if last is not None else self._first_n
        if standing is None:
            return await self._begin(n, first, language)
        if standing.event_id is None or standing.is_redacted or self._is_full(n):
            return Showing.NOWHERE
        beside = partial(self._forget_older, n=n)
        is_there = await self._send(n, _edit_of(standing, edit), beside)
        return Showing.SHOWN if is_there else Showing.NOWHERE

    async def end(self, edit: Mapping[str, JSON]) -> None:
        """Say the last word while the turn goes on otherwise, if there is a draft.

        What cannot be sent now goes out before the turn's next row. Raises as `show` does.
        """
        standing = await self.settle()
        rows = await self._rows()
        if standing is None or standing.is_redacted:
            return
        pending = await self._journal.write_send(
            self._lease, self._turn, rows[-1]["n"] + 1, _edit_of(standing, edit)
        )
        if pending is not None and standing.event_id is not None:
            await self._sending.send_now(self._lease, self._turn, pending)

    async def settle(self) -> StandingDraft | None:
        """The draft that is to be replaced now; edits that were not sent never will be."""
        rows = await self._rows()
        for row in rows:
            if row["kind"] == SendKind.EDIT and is_open(row):
                await self._drop(row)
        return self._standing(rows)

    async def _rows(self) -> Sequence[Row]:
        return await self._database.fetch(
            self._sql["rows"],
            turn_id=self._turn.id,
            first_n=self._first_n,
            most=_MOST_ROWS,
            live=LIVE,
        )

    async def _begin(self, n: int, first: Sequence[Outgoing], language: str) -> Showing:
        is_there = True
        for place, out in enumerate(first, n):
            end_it = partial(self._store_end, n=place, language=language)
            is_message = out.kind is SendKind.MESSAGE
            is_there = await self._send(place, out, end_it if is_message else None)
        return Showing.SHOWN if is_there else Showing.NOWHERE

    async def _send(self, n: int, out: Outgoing, beside: Beside | None = None) -> bool:
        pending = await self._journal.write_send(self._lease, self._turn, n, out, beside=beside)
        return pending is not None and await self._sending.try_now(
            self._lease, self._turn, pending
        )

    async def _drop(self, row: Row) -> None:
        stored = await self._journal.send_row(self._turn.id, row["n"])
        await self._journal.drop(self._lease, stored, _SUPERSEDED)

    async def _forget_older(self, connection: Connection, n: int) -> None:
        await connection.execute(
            self._sql["forget_older"], turn_id=self._turn.id, first_n=self._first_n, n=n
        )

    async def _store_end(self, connection: Connection, n: int, language: str) -> None:
        turn = self._turn
        about = {"of": turn.trigger_id, "n": n, "parks": turn.parks, "language": language}
        trigger_id = f"{DRAFT}:{turn.trigger_id}:{n}"
        trigger = Trigger(
            id=trigger_id,
            lane=f"{trigger_id}|{LaneKind.CONTROL}",
            kind=LaneKind.CONTROL,
            input=json.dumps(about),
        )
        await self._later.store_with(connection, trigger, _FIRST_LOOK)

    def _is_full(self, n: int) -> bool:
        return n >= self._first_n + _MOST_ROWS - 1  # the last one is for the last word

    def _standing(self, rows: Sequence[Row]) -> StandingDraft | None:
        events: list[int] = []
        edits = 0
        for row in reversed(rows):
            if row["dropped"] is not None:
                if row["kind"] == SendKind.MESSAGE:
                    return None
                continue
            if row["is_last_word"]:
                return None
            if row["event_id"] is not None:
                events.append(row["n"] - self._turn.first_n)
            if row["kind"] == SendKind.MESSAGE:
                return StandingDraft(
                    n=row["n"] - self._turn.first_n,
                    room_id=RoomID(row["room"]),
                    sender=UserID(row["sender"]),
                    event_id=EventID(row["event_id"]) if row["event_id"] else None,
                    edits=edits,
                    events=events,
                    is_redacted=bool(row["is_redacted"]),
                )
            edits += row["kind"] == SendKind.EDIT
        return None


def _edit_of(standing: StandingDraft, edit: Mapping[str, JSON]) -> Outgoing:
    return Outgoing(
        kind=SendKind.EDIT,
        room_id=standing.room_id,
        sender=standing.sender,  # perhaps another one had to speak
        content=edit,
        target_n=standing.n,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDraft:
    """A draft as others than its run see it. `content` is what it says now, empty when erased.

    `is_over`: its run does nothing more with it; `has_ended`: something stands in its place.
    `is_settled`: nothing more will be sent of it. `is_doubtful`: it was given up, perhaps on its
    way to the room.
    """

    row: SendRow
    content: Mapping[str, JSON]
    event_id: EventID | None
    state: str
    is_over: bool
    has_ended: bool
    is_settled: bool
    is_doubtful: bool
    now_ms: int


class DraftTable:
    """Looks at drafts from outside of their turns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "drafts", database.dialect)

    async def find(self, about: Mapping[str, JSON]) -> ShownDraft | None:
        """By the input of the turn that says the last word; None when nothing is left of it."""
        row = await self._database.fetch_one(
            self._sql["stands"],
            trigger_id=about["of"],
            n=about["n"],
            live=LIVE,
            replaces=REPLACES,
        )
        if row is None:
            return None
        is_waiting = row["state"] == "waiting"
        message = send_of(row)
        edit = json.loads(row["edited"]) if row["edited"] and message.content else {}
        return ShownDraft(
            row=message,
            content=edit.get("m.new_content", message.content),
            event_id=EventID(row["event_id"]) if row["event_id"] else None,
            state=row["state"],
            # A run after a wait has a draft of its own, one with other words goes on with this.
            is_over=row["state"] in _ENDED or is_waiting or row["parks"] != about["parks"],
            has_ended=bool(row["has_ended"]),
            is_settled=not row["unsent"],
            is_doubtful=row["sent_at"] is None and row["dropped"] in _GIVEN_UP,
            now_ms=row["now_ms"],
        )
