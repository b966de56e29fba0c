"""Looking at turns from outside: what was asked, what we said to it, what is still open."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lycatra_appservice.db.connection import Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import JSON, EventID, LaneKind, RoomID, UserID
from lycatra_appservice.turns.records import kind_of_lane, object_of

_OPEN: Final = frozenset({"queued", "running", "waiting", "sending"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTurn:
    """A turn as it stood a moment ago."""

    trigger_id: str
    lane: str
    state: str
    input: Mapping[str, JSON]  # empty when it was erased

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in _OPEN

    @property
    def kind(self) -> LaneKind:
        """The kind of its lane."""
        return kind_of_lane(self.lane)


@dataclass(frozen=True, slots=True, kw_only=True)
class OurMessage:
    """Something that we have sent: the `n`-th row of its turn; no content when it was erased."""

    turn: KnownTurn
    n: int
    room_id: RoomID
    sender: UserID
    content: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStep:
    """A step of a turn that was done, and when."""

    name: str
    output: JSON
    at: datetime


class KnownTurns:
    """Reads, and locks nothing: what is read may be different a moment later."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "known", database.dialect)

    async def find(self, trigger_id: str) -> KnownTurn | None:
        """A turn by its trigger."""
        row = await self._database.fetch_one(self._sql["find"], trigger_id=trigger_id)
        return _known(row) if row else None

    async def is_shown(self, trigger_id: str) -> bool:
        """Whether there is something of a turn that works or waits, which its end will change."""
        return bool(await self._database.fetch_one(self._sql["is_shown"], trigger_id=trigger_id))

    async def find_message(self, event_id: EventID) -> OurMessage | None:
        """A message, edit or reaction of ours; None for what others have sent."""
        row = await self._database.fetch_one(self._sql["find_message"], event_id=event_id)
        if row is None:
            return None
        return OurMessage(
            turn=_known(row),
            n=row["n"],
            room_id=RoomID(row["room"]),
            sender=UserID(row["sender"]),
            content=json.loads(row["content"]),
        )

    async def journaled(self, trigger_id: str, name: str) -> JSON:
        """What a turn has journaled under this name; None when there is no such step."""
        row = await self._database.fetch_one(
            self._sql["journaled"], trigger_id=trigger_id, name=name
        )
        return json.loads(row["output"]) if row else None

    async def steps(self, trigger_id: str) -> Sequence[KnownStep]:
        """What a turn has journaled and is still kept, in the order in which it was done."""
        rows = await self._database.fetch(self._sql["steps"], trigger_id=trigger_id)
        return [
            KnownStep(
                name=row["name"],
                output=json.loads(row["output"]),
                at=datetime.fromtimestamp(row["at"] / 1000, UTC),
            )
            for row in rows
        ]

    async def open_in(self, room_id: RoomID) -> Sequence[KnownTurn]:
        """The turns of a room that have not ended, of all its lanes, oldest first."""
        rows = await self._database.fetch(self._sql["open_in_room"], prefix=f"{room_id}|")
        return [_known(row) for row in rows]


def _known(row: Row) -> KnownTurn:
    return KnownTurn(
        trigger_id=row["trigger_id"],
        lane=row["lane"],
        state=row["state"],
        input=object_of(row["input"]),
    )
