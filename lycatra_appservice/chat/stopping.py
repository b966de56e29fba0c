"""Who may stop which questions, and stopping them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.matrix.events import mapping, read_inbound
from lycatra_appservice.model import JSON, EventID, LaneKind, Level, RoomID, UserID
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.turns.known import KnownTurn, KnownTurns
from lycatra_appservice.turns.revisions import Revisions

_QUESTIONS: Final = frozenset({LaneKind.ASK, LaneKind.COMMAND})


class Stopping:
    """People stop what they have asked; operators and admins what anybody has."""

    def __init__(self, known: KnownTurns, revisions: Revisions, access: Access) -> None:
        self._known = known
        self._revisions = revisions
        self._access = access

    def may_stop_all(self, person: UserID) -> bool:
        """Whether somebody may stop the questions of others."""
        return self._access.level(person) >= Level.OPERATOR

    async def stop_one(self, turn: KnownTurn, room_id: RoomID, person: UserID) -> bool:
        """Stop a turn, if it is a question of this room that the person may stop."""
        return self._may_stop(turn, room_id, person) and await self._revisions.cancel(
            turn.trigger_id
        )

    async def stop_in(self, room_id: RoomID, thread: EventID | None, person: UserID) -> int:
        """Stop all that the person may stop in a room, or only in a thread of it; how many."""
        stopped: Sequence[bool] = [
            await self.stop_one(turn, room_id, person)
            for turn in await self._known.open_in(room_id)
            if thread is None or _is_in(turn, thread)
        ]
        return sum(stopped)

    async def goes_on(self, turn: KnownTurn, room_id: RoomID, person: UserID) -> bool:
        """Whether a turn that the person may stop cannot be stopped: it is changing something."""
        return self._may_stop(turn, room_id, person) and await self._revisions.is_changing(
            turn.trigger_id
        )

    async def any_goes_on(self, room_id: RoomID, thread: EventID | None, person: UserID) -> bool:
        """The same of all turns of a room, or only of a thread of it."""
        for turn in await self._known.open_in(room_id):
            is_meant = thread is None or _is_in(turn, thread)
            if is_meant and await self.goes_on(turn, room_id, person):
                return True
        return False

    def _may_stop(self, turn: KnownTurn, room_id: RoomID, person: UserID) -> bool:
        event = _event_of(turn)
        return (
            turn.is_open
            and turn.kind in _QUESTIONS
            and event.get("room_id") == room_id
            and (event.get("sender") == person or self.may_stop_all(person))
        )


def _is_in(turn: KnownTurn, thread: EventID) -> bool:
    """Whether a question stands in a thread, or begins it: its answer goes there."""
    event = _event_of(turn)
    if event.get("event_id") == thread:
        return True
    return bool(event) and read_inbound(event, timedelta(0)).thread == thread


def _event_of(turn: KnownTurn) -> Mapping[str, JSON]:
    return mapping(turn.input.get("event"))
