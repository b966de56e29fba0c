"""Answers for one person alone: into the direct chat, with one line where it was asked."""

from collections.abc import Sequence
from dataclasses import replace

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.direct_line import DirectLine
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import Inbound, Outgoing, Reply, RoomID, UserID
from lycatra_appservice.turns.turn import Turn


class PrivateAnswers:
    """Says nothing of it to the others, also where there is no way to the person."""

    def __init__(self, rooms: RoomStore, line: DirectLine, composer: Composer) -> None:
        self._rooms = rooms
        self._line = line
        self._composer = composer

    async def is_alone(self, person: UserID, room_id: RoomID) -> bool:
        """Whether nobody else is in the room now, or can come into it without being let in.

        Who comes later reads what was said before.
        """
        room = await self._rooms.known(room_id)
        if room is None or set(room.people) != {person}:
            return False
        return not await self._rooms.is_open(room)

    async def room_with(self, turn: Turn, person: UserID) -> RoomID | None:
        """The direct chat; None when there is none and none can be opened.

        Raises LycatraError that is outlasted while that cannot be told.
        """
        return await self._line.open(turn, person)

    def rows(
        self, reply: Reply, direct: RoomID | None, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """The reply in the direct chat, and the line in the room, which comes last."""
        told: Sequence[Outgoing] = ()
        said = messages.cannot_answer_directly()
        if direct is not None:
            said = messages.answered_directly()
            marker = {"to": inbound.event_id, "kind": "message"}
            chosen = self._composer.settings(room).language
            ringing = replace(reply, mentions=(), notice=False)
            told = self._line.rows(ringing, direct, marker, words=inbound.body, chosen=chosen)
        line = Reply(markdown=said, sender=reply.sender, notice=True)
        return [*told, *self._composer.answer(line, inbound, room)]
