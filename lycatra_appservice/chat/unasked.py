"""What we say without being asked: little, each thing once, and never two in an hour and room."""

import json
from collections.abc import Set
from datetime import timedelta
from enum import StrEnum
from typing import Final, Protocol

from lycatra_appservice.chat.room_settings import RoomDefaults, RoomSettings
from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, RoomID
from lycatra_appservice.turns.turn import Turn

_FOR_ADMIN: Final = "admin|"
_ONE_A_ROOM: Final = timedelta(hours=1)


class Kind(StrEnum):
    """Kinds of unasked messages; all but the last can be named in `quiet`."""

    WELCOME = "welcome"
    TOO_OLD = "too_old"
    EDITED = "edited"
    UNREADABLE = "unreadable"
    ENCRYPTED = "encrypted"


class Outcome(StrEnum):
    """What became of the wish to say something."""

    SAID = "said"
    HELD_BACK = "held_back"  # said before, or something else was said within the hour
    QUIET = "quiet"  # the room does not want this kind


# Silence is never the answer to an encrypted room, and nothing ever follows this one there.
_NEVER_HELD_BACK: Final[Set[Kind]] = frozenset({Kind.ENCRYPTED})
# The outcome of what somebody wrote: a welcome just before must not swallow it.
_OWN_HOUR: Final[Set[Kind]] = frozenset({Kind.TOO_OLD, Kind.UNREADABLE})


class UnaskedObserver(Protocol):
    """Where the figures go."""

    def unasked(self, kind: str, outcome: str) -> None:
        """Something wanted to be said unasked."""


class NoticeStore:
    """The notice table: who may say what, for the whole deployment."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "unasked", database.dialect)

    async def was_said(self, once_key: str) -> bool:
        """Whether somebody holds this once-only notice."""
        row = await self._database.fetch_one(self._sql["was_said"], key=once_key)
        return row is not None

    async def take(
        self, room_id: RoomID, holder: str, once_key: str | None, *, anyway: bool = False
    ) -> bool:
        """Take the room's hour, and a once-only notice where one is named: both or neither.

        Of all who ask at once one hears yes; that holder hears it again, however often it asks.
        `anyway` takes the hour although another has it.
        """
        try:
            async with self._database.transaction() as connection:
                if once_key is not None and not await self._first(connection, once_key, holder):
                    return False
                hour = "take_hour_anyway" if anyway else "take_hour"
                await self._take_hour(connection, hour, room_id, holder)
        except _HourTakenError:
            return False
        return True

    async def take_once(self, once_key: str, holder: str) -> bool:
        """Take a once-only notice alone, for what is said beside an answer."""
        async with self._database.transaction() as connection:
            return await self._first(connection, once_key, holder)

    async def take_for(self, key: str, holder: str, lasting: timedelta) -> bool:
        """Take a notice that somebody else may say again after a while."""
        row = await self._database.fetch_one(
            self._sql["take_hour"],
            key=key,
            holder=holder,
            lasting_ms=round(lasting / timedelta(milliseconds=1)),
        )
        return row is not None

    async def holder(self, key: str, asker: str) -> str:
        """Who holds a notice: the first who asked since it was forgotten."""
        row = await self._database.fetch_one(self._sql["say_once"], key=key, holder=asker)
        return asker if row is None else str(row["holder"])

    async def forget(self, key: str) -> None:
        """Let a notice be taken anew. Writes nothing where nobody holds it."""
        await self._database.execute(self._sql["forget"], key=key)

    async def note_for_admin(self, what: JSON) -> None:
        """Keep something for the next admin to whom something is said; once ever."""
        key = _FOR_ADMIN + json.dumps(what, sort_keys=True)
        await self._database.execute(self._sql["note_for_admin"], key=key)

    async def tell_admin(self, holder: str) -> JSON:
        """What is kept for an admin, who is told it by this holder; None if there is nothing."""
        row = await self._database.fetch_one(self._sql["tell_admin"], holder=holder)
        return json.loads(row["key"].removeprefix(_FOR_ADMIN)) if row else None

    async def forget_expired(self) -> None:
        """Erase the hours that are over; once-only notices stay."""
        await self._database.execute(self._sql["forget_expired"])

    async def _first(self, connection: Connection, once_key: str, holder: str) -> bool:
        row = await connection.fetch_one(self._sql["say_once"], key=once_key, holder=holder)
        return row is not None and row["holder"] == holder

    async def _take_hour(
        self, connection: Connection, statement: str, room_id: RoomID, holder: str
    ) -> None:
        """Raise _HourTakenError when it is another's, so that nothing else is used up."""
        row = await connection.fetch_one(
            self._sql[statement],
            key=f"unasked|{room_id}",
            holder=holder,
            lasting_ms=round(_ONE_A_ROOM / timedelta(milliseconds=1)),
        )
        if row is None:
            raise _HourTakenError


class Unasked:
    """Asked before everything that nobody asked for."""

    def __init__(
        self, store: NoticeStore, defaults: RoomDefaults, observer: UnaskedObserver
    ) -> None:
        self._store = store
        self._defaults = defaults
        self._observer = observer

    async def may(
        self, turn: Turn, room: RoomView, kind: Kind, once_key: str | None = None
    ) -> bool:
        """Whether this turn says it; a turn that is run again hears the same.

        `once_key` names what is said once ever in the whole deployment. What is held back for
        the hour's sake does not count as said.
        """

        async def decide() -> JSON:
            outcome = await self._decide(turn.trigger_id, room, kind, once_key)
            self._observer.unasked(kind, outcome)
            return outcome

        outcome = await turn.step(f"unasked:{kind}:{room.room_id}", decide)
        return bool(outcome == Outcome.SAID)

    async def was_said(self, once_key: str) -> bool:
        """Whether a once-only notice was said, or is just being said: a look-up, no step."""
        return await self._store.was_said(once_key)

    async def _decide(
        self, trigger_id: str, room: RoomView, kind: Kind, once_key: str | None
    ) -> Outcome:
        if kind in RoomSettings.of(self._defaults, room.chosen).quiet:
            return Outcome.QUIET
        # With the kind, or one turn could say two things in one room.
        holder = f"{trigger_id}|{kind}"
        if kind in _OWN_HOUR:
            taken = await self._store.take_for(f"{kind}|{room.room_id}", holder, _ONE_A_ROOM)
        else:
            anyway = kind in _NEVER_HELD_BACK
            taken = await self._store.take(room.room_id, holder, once_key, anyway=anyway)
        return Outcome.SAID if taken else Outcome.HELD_BACK


class _HourTakenError(Exception):
    """Rolls back what was taken before it."""
