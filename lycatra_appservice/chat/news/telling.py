"""The turn that tells one room a piece of news, and puts to its people what could be done."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from lycatra_appservice.chat.approvals.occasion import Occasion
from lycatra_appservice.chat.news.proposing import Proposed, Proposing
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import EventID, Face, Inbound, Outgoing, RoomID, UserID
from lycatra_appservice.turns.news import NewsTable
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import said_from_json

logger = logging.getLogger(__name__)


class NewsTeller:
    """Says it once: a new message, which rings, or the card of what is proposed."""

    def __init__(
        self,
        table: NewsTable,
        users: VirtualUsers,
        rooms: RoomStore,
        proposing: Proposing,
    ) -> None:
        self._table = table
        self._users = users
        self._rooms = rooms
        self._proposing = proposing

    async def run(self, turn: Turn) -> Sequence[Outgoing]:
        """The job."""
        about = turn.input
        if not about:
            return ()
        room = await self._room(RoomID(about["room"]))
        if room is None:
            logger.info("news_dropped", extra={"room_id": about["room"]})
            await self._table.leave(RoomID(about["room"]))
            return ()
        speaker = self._users.of(about["namespace"])
        occasion = Occasion(
            turn=turn,
            inbound=_nobody_s(turn, room, speaker),
            room=room,
            speaker=speaker,
            face=Face.COMMAND,
        )
        said = said_from_json(about["text"])
        if about["proposal"] is None:
            return self._proposing.rows(said, occasion)
        wanted = about["proposal"]
        proposed = Proposed(
            tool=wanted["tool"],
            args=wanted["args"],
            lifetime=timedelta(seconds=wanted["lifetime_s"]),
            news=said,
        )
        return await self._proposing.put(proposed, occasion, by_ourselves=True)

    async def left(self, room_id: RoomID) -> None:
        """Tell a room nothing more, unless another of us is still there."""
        if await self._table.subscriptions(room_id) and await self._room(room_id) is None:
            await self._table.leave(room_id)

    async def _room(self, room_id: RoomID) -> RoomView | None:
        """The room, or the one that it was upgraded to; None where none of us is."""
        try:
            room = await self._rooms.view(room_id)
            if room.successor is not None:
                await self._table.follow(room_id, room.successor)
                room = await self._rooms.view(room.successor)
        except MatrixError as error:
            if error.outlasted:
                raise
            return None
        return room if room.ours else None


def _nobody_s(turn: Turn, room: RoomView, speaker: UserID) -> Inbound:
    """What stands for the message that nobody wrote."""
    return Inbound(
        event_id=EventID(turn.trigger_id),
        room_id=room.room_id,
        sender=speaker,
        msgtype="m.text",
        body="",
        age=timedelta(0),
    )
