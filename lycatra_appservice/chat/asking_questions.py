"""The turn that shows a person the question of an MCP server, in the room of the call."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.question_form import example_of, fields_of
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import REPLY_MARKER, mapping, read_inbound
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import EventID, Inbound, Outgoing, Reply
from lycatra_appservice.toolkit.remote.asking import PATIENCE
from lycatra_appservice.turns.known import KnownTurns
from lycatra_appservice.turns.questions import QuestionTable, StoredQuestion
from lycatra_appservice.turns.turn import Turn


class QuestionJob:
    """Asks once, by the server's own user: a new message, which rings."""

    def __init__(
        self,
        table: QuestionTable,
        known: KnownTurns,
        users: VirtualUsers,
        rooms: RoomStore,
        composer: Composer,
    ) -> None:
        self._table = table
        self._known = known
        self._users = users
        self._rooms = rooms
        self._composer = composer

    async def run(self, turn: Turn) -> Sequence[Outgoing]:
        """The job; nothing where nobody waits any more, or the person has left."""
        question = await self._table.find(str(turn.input.get("code", "")))
        room = await self._room(question) if question else None
        if question is None or room is None or question.person not in room.people:
            return ()
        reply = Reply(
            markdown=messages.question_asked(
                question.code,
                question.namespace,
                question.tool,
                question.message,
                fields_of(question.form),
                example_of(question.form),
                PATIENCE,
            ),
            sender=self._users.of(question.namespace),
            mentions=(question.person,),
        )
        rows = self._composer.answer(reply, await self._inbound(question, room), room)
        return [_as_aside(row) for row in rows]

    async def _room(self, question: StoredQuestion) -> RoomView | None:
        try:
            room = await self._rooms.view(question.room_id)
        except MatrixError as error:
            if error.outlasted:
                raise
            return None
        return room if room.ours else None

    async def _inbound(self, question: StoredQuestion, room: RoomView) -> Inbound:
        """The message that the call was asked for by; only its id where that is not known."""
        asked_by = question.asked_by or ""
        known = await self._known.find(asked_by)
        event = mapping(known.input.get("event")) if known is not None else {}
        if event.get("room_id") == room.room_id:
            return read_inbound(event, timedelta(0))
        return Inbound(
            event_id=EventID(asked_by),
            room_id=room.room_id,
            sender=question.person,
            msgtype="m.text",
            body="",
            age=timedelta(0),
        )


def _as_aside(row: Outgoing) -> Outgoing:
    """It is not the answer to the message: that is still to come."""
    if REPLY_MARKER not in row.content:
        return row
    marker = {**row.content[REPLY_MARKER], "kind": "aside"}
    return replace(row, content={**row.content, REPLY_MARKER: marker})
