"""Forgetting what was said: of a turn, of its words alone, or of one message of ours."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Final, TypeAlias

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import EventID, RoomID
from lycatra_appservice.turns.delivery import SendRow
from lycatra_appservice.turns.held import HeldTurns
from lycatra_appservice.turns.records import ASKED_ANEW, CANCELLED, send_of
from lycatra_appservice.turns.revisions import Memory

# Such rows are given up without asking the homeserver, perhaps while they were being sent.
_GIVEN_UP: Final = frozenset({CANCELLED, ASKED_ANEW})

_Erase: TypeAlias = Callable[[Connection, Row], Awaitable[None]]


class Forgotten(StrEnum):
    """What became of the wish to forget."""

    DONE = "done"
    NOT_YET = "not_yet"  # its turn has not ended
    UNKNOWN = "unknown"  # there is nothing of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a turn has left in a room, or may have.

    `is_doubtful`: it was given up, perhaps while it was on its way. `ended_ago` is how long ago
    its turn ended. `of_card`: it shows how the approval ended that has this card.
    """

    row: SendRow
    event_id: EventID | None
    is_doubtful: bool
    ended_ago: timedelta
    of_card: EventID | None = None


class Forgetting:
    """Erases texts; the bare rows stay, so that nothing is answered again or sent twice.

    Every method may be called again.
    """

    def __init__(self, database: Database, memories: Sequence[Memory] = ()) -> None:
        self._database = database
        self._memories = memories
        self._held = HeldTurns(database)
        self._sql = Statements.load(__package__, "forgetting", database.dialect)
        self._turns = Statements.load(__package__, "turns", database.dialect)

    async def is_remembered(self, trigger_id: str) -> bool:
        """Whether later turns may have read of it."""
        for memory in self._memories:
            if await memory.remembers(trigger_id):
                return True
        return False

    async def forget_turn(self, trigger_id: str) -> Forgotten:
        """Erase what was asked, found out and answered; the turn counts as cancelled then."""

        async def erase(connection: Connection, turn: Row) -> None:
            await connection.execute(self._sql["forget_turn"], turn_id=turn["id"])
            await connection.execute(self._turns["forget_contents"], turn_id=turn["id"])

        return await self._erase(trigger_id, erase)

    async def forget_words(self, trigger_id: str) -> Forgotten:
        """Erase what was asked and found out; what we have said stands."""

        async def erase(connection: Connection, turn: Row) -> None:
            await connection.execute(self._sql["forget_words"], turn_id=turn["id"])

        return await self._erase(trigger_id, erase)

    async def forget_message(self, event_id: EventID) -> Forgotten:
        """Erase one message of ours with its edits, and what its turn found out."""
        row = await self._database.fetch_one(self._sql["trigger_of_message"], event_id=event_id)
        if row is None:
            return Forgotten.UNKNOWN

        async def erase(connection: Connection, turn: Row) -> None:
            await connection.execute(
                self._sql["forget_message"], turn_id=turn["id"], event_id=event_id
            )

        return await self._erase(row["trigger_id"], erase)

    async def forget_findings(self, trigger_id: str, memory: Memory) -> Forgotten:
        """Erase what a turn has read, and what `memory` has of it; what was said stands."""

        async def erase(connection: Connection, turn: Row) -> Forgotten:
            if turn["finished_at"] is None:
                return Forgotten.NOT_YET
            await connection.execute(self._turns["forget_steps"], turn_id=turn["id"])
            await memory.forget_turn(connection, trigger_id)
            return Forgotten.DONE

        forgotten = await self._held.hold(trigger_id, erase)
        return Forgotten.UNKNOWN if forgotten is None else forgotten

    async def is_being_shown(self, trigger_id: str) -> bool:
        """Whether a card of a turn, or what shows how it gets on, is about to be edited."""
        row = await self._database.fetch_one(self._sql["is_being_shown"], trigger_id=trigger_id)
        return row is not None

    async def traces(self, trigger_id: str) -> Sequence[Trace]:
        """What a turn that has ended may have left in rooms, as sent; of other turns last."""
        rows = await self._database.fetch(self._sql["traces"], trigger_id=trigger_id)
        return [_trace(row) for row in rows if row["ended_ago_ms"] is not None]

    async def readers(self, room_id: RoomID) -> Sequence[int]:
        """Open turns of a room whose journals repeat what was said there before, or may soon."""
        rows = await self._database.fetch(self._sql["readers"], prefix=f"{room_id}|")
        return [row["id"] for row in rows]

    async def forget_repetitions(self, room_id: RoomID, readers: Sequence[int]) -> Forgotten:
        """Erase the journals of a room's ended turns, when these readers are among them."""
        still_open = await self.readers(room_id) if readers else ()
        if not set(readers).isdisjoint(still_open):
            return Forgotten.NOT_YET
        await self._database.execute(self._sql["forget_journals"], prefix=f"{room_id}|")
        return Forgotten.DONE

    async def _erase(self, trigger_id: str, erase: _Erase) -> Forgotten:
        forgotten = await self._held.hold(
            trigger_id, partial(self._erase_held, trigger_id=trigger_id, erase=erase)
        )
        return Forgotten.UNKNOWN if forgotten is None else forgotten

    async def _erase_held(
        self, connection: Connection, turn: Row, *, trigger_id: str, erase: _Erase
    ) -> Forgotten:
        if turn["finished_at"] is None:
            return Forgotten.NOT_YET
        await erase(connection, turn)
        await connection.execute(self._turns["forget_steps"], turn_id=turn["id"])
        await connection.execute(self._sql["forget_ends_of_cards"], turn_id=turn["id"])
        await connection.execute(self._sql["forget_ends_of_drafts"], turn_id=turn["id"])
        await connection.execute(self._turns["forget_approvals"], turn_id=turn["id"])
        for memory in self._memories:
            await memory.forget_turn(connection, trigger_id)
        return Forgotten.DONE


def _trace(row: Row) -> Trace:
    event_id = row["event_id"]
    return Trace(
        row=send_of(row),
        event_id=EventID(event_id) if event_id else None,
        is_doubtful=row["sent_at"] is None and row["dropped"] in _GIVEN_UP,
        ended_ago=timedelta(milliseconds=row["ended_ago_ms"]),
        of_card=EventID(row["of_card"]) if row["of_card"] else None,
    )
