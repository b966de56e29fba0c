"""The turn that says what a tool wanted said later, if it is still wanted and allowed."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.errors import ToolError
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import REPLY_MARKER, mapping, read_inbound
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import (
    JSON,
    Caller,
    EventID,
    Face,
    Inbound,
    Outgoing,
    Reply,
    RoomID,
    UserID,
)
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.turns.known import KnownTurns
from lycatra_appservice.turns.timers import TimerTable
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said, said_from_json

logger = logging.getLogger(__name__)

# Longer, and people read that it is late: the service was away.
_LATE: Final = timedelta(minutes=2)


class TimerJob:
    """Says it once, to who asked: a new message, which rings."""

    def __init__(
        self,
        table: TimerTable,
        known: KnownTurns,
        users: VirtualUsers,
        rooms: RoomStore,
        gate: Gate,
        composer: Composer,
    ) -> None:
        self._table = table
        self._known = known
        self._users = users
        self._rooms = rooms
        self._gate = gate
        self._composer = composer

    async def run(self, turn: Turn) -> Sequence[Outgoing]:
        """The job."""
        late_ms = await turn.step("late", lambda: self._late_ms(turn.trigger_id))
        await self._table.close(turn.trigger_id)
        about = turn.input
        if late_ms is None or not about:
            return ()
        room = await self._room(RoomID(about["room"]))
        why_not = await self._why_not(room, about)
        if room is None or why_not is not None:
            logger.info(
                "timer_dropped",
                extra={
                    "why": why_not,
                    "room_id": about["room"],
                    "namespace": about["namespace"],
                },
            )
            return ()
        said = said_from_json(about["text"])
        late = timedelta(milliseconds=late_ms)
        return await self._rows(messages.late(said, late) if late > _LATE else said, about, room)

    async def left(self, room_id: RoomID) -> None:
        """Take back what was to be said in a room, unless another of us is still there."""
        if await self._table.waits_in(room_id) and await self._room(room_id) is None:
            await self._table.drop_room(room_id)

    async def _late_ms(self, trigger_id: str) -> JSON:
        late = await self._table.late_by(trigger_id)
        return None if late is None else round(late / timedelta(milliseconds=1))

    async def _room(self, room_id: RoomID) -> RoomView | None:
        """The room, or the one that it was upgraded to; None where none of us is."""
        try:
            room = await self._rooms.view(room_id)
            if room.successor is not None:
                room = await self._rooms.view(room.successor)
        except MatrixError as error:
            if error.outlasted:
                raise
            return None
        return room if room.ours else None

    async def _why_not(self, room: RoomView | None, about: Mapping[str, JSON]) -> str | None:
        person = UserID(about["person"])
        if room is None:
            return "room_left"
        if person not in room.people or person in room.invited:
            return "person_left"
        caller = Caller(user_id=person, face=Face(about["face"]), room_id=room.room_id)
        toolbox = await self._gate.open(caller)
        try:
            toolbox.tool(about["tool"])
        except ToolError:
            return "not_allowed"
        return None

    async def _rows(
        self, said: Said, about: Mapping[str, JSON], room: RoomView
    ) -> Sequence[Outgoing]:
        reply = Reply(
            markdown=said,
            sender=self._users.of(about["namespace"]),
            mentions=(UserID(about["person"]),),
        )
        question = await self._question(about, room)
        is_here = question.event_id.startswith("$") and about["room"] == room.room_id
        rows = self._composer.answer(reply, question, room)
        return [_as_aside(row, is_reply=is_here) for row in rows]

    async def _question(self, about: Mapping[str, JSON], room: RoomView) -> Inbound:
        """The message that it answers late; only its id when its words are not kept any more."""
        asked_by = about["asked_by"] or ""
        known = await self._known.find(asked_by)
        event = mapping(known.input.get("event")) if known is not None else {}
        if event.get("room_id") == room.room_id:
            return read_inbound(event, timedelta(0))
        return Inbound(
            event_id=EventID(asked_by),
            room_id=room.room_id,
            sender=UserID(about["person"]),
            msgtype="m.text",
            body="",
            age=timedelta(0),
        )


def _as_aside(row: Outgoing, *, is_reply: bool) -> Outgoing:
    """It is no answer: that was given long ago."""
    if REPLY_MARKER not in row.content:
        return row
    marker = {**row.content[REPLY_MARKER], "kind": "aside"}
    left_out = set() if is_reply else {"m.relates_to"}
    kept = {key: value for key, value in row.content.items() if key not in left_out}
    return replace(row, content={**kept, REPLY_MARKER: marker})
