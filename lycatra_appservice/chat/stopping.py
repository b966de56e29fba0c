"""Who may stop which questions, and stopping them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.matrix.events import mapping, read_inbound
from lycatra_appservice.model import JSON, EventID, LaneKind, Level, RoomID, UserID
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.turns.known import KnownTurn, KnownTurns
from lycatra_appservice.turns.revisions import Revisions

_QUESTIONS: Final = frozenset({LaneKind.ASK, LaneKind.COMMAND, LaneKind.BACKGROUND})


class Stopping:
    """People stop what they have asked; operators and admins what anybody has."""

    def __init__(self, known: KnownTurns, revisions: Revisions, rights: Rights) -> None:
        self._known = known
        self._revisions = revisions
        self._rights = rights

    async def may_stop_all(self, person: UserID, room_id: RoomID) -> bool:
        """Whether somebody may stop the questions of others in a room."""
        return await self._rights.level(person, room_id) >= Level.OPERATOR

    async def stop_one(self, turn: KnownTurn, room_id: RoomID, person: UserID) -> bool:
        """Stop a turn, if it is a question of this room that the person may stop."""
        may_all = await self.may_stop_all(person, room_id)
        return await self._stop(turn, room_id, person, may_all=may_all)

    async def stop_in(self, room_id: RoomID, thread: EventID | None, person: UserID) -> int:
        """Stop all that the person may stop in a room, or only in a thread of it; how many."""
        may_all = await self.may_stop_all(person, room_id)
        stopped: Sequence[bool] = [
            await self._stop(turn, room_id, person, may_all=may_all)
            for turn in await self._known.open_in(room_id)
            if thread is None or _is_in(turn, thread)
        ]
        return sum(stopped)

    async def goes_on(self, turn: KnownTurn, room_id: RoomID, person: UserID) -> bool:
        """Whether a turn that the person may stop cannot be stopped: it is changing something."""
        may_all = await self.may_stop_all(person, room_id)
        return await self._goes_on(turn, room_id, person, may_all=may_all)

    async def any_goes_on(self, room_id: RoomID, thread: EventID | None, person: UserID) -> bool:
        """The same of all turns of a room, or only of a thread of it."""
        may_all = await self.may_stop_all(person, room_id)
        for turn in await self._known.open_in(room_id):
            is_meant = thread is None or _is_in(turn, thread)
            if is_meant and await self._goes_on(turn, room_id, person, may_all=may_all):
                return True
        return False

    async def _stop(
        self, turn: KnownTurn, room_id: RoomID, person: UserID, *, may_all: bool
    ) -> bool:
        return _may_stop(turn, room_id, person, may_all=may_all) and await self._revisions.cancel(
            turn.trigger_id
        )

    async def _goes_on(
        self, turn: KnownTurn, room_id: RoomID, person: UserID, *, may_all: bool
    ) -> bool:
        may_stop = _may_stop(turn, room_id, person, may_all=may_all)
        return may_stop and await self._revisions.is_changing(turn.trigger_id)


def _may_stop(turn: KnownTurn, room_id: RoomID, person: UserID, *, may_all: bool) -> bool:
    event = _event_of(turn)
    return (
        turn.is_open
        and turn.kind in _QUESTIONS
        and event.get("room_id") == room_id
        and (event.get("sender") == person or may_all)
    )


def _is_in(turn: KnownTurn, thread: EventID) -> bool:
    """Whether a question stands in a thread, or begins it: its answer goes there."""
    event = _event_of(turn)
    if event.get("event_id") == thread:
        return True
    return bool(event) and read_inbound(event, timedelta(0)).thread == thread


def _event_of(turn: KnownTurn) -> Mapping[str, JSON]:
    return mapping(turn.input.get("event"))
