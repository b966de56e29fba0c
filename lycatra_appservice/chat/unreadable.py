"""Messages whose key does not come: said once, and they are answered when it comes."""

import json
from collections.abc import Sequence
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.unasked import Kind, Unasked
from lycatra_appservice.db.connection import Connection
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.render import render_message
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Address, LaneKind, Outgoing, Reply, RoomID, SendKind
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import Trigger, lane_of_room
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.catalogue import AUTOMATIC

UNREADABLE: Final = "unreadable"  # of the trigger id of its turn


class UnreadableTriggers:
    """Has it said by a turn of its own; its trigger is made of what opens the messages."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def tell(self, connection: Connection, room_id: RoomID, session_id: str) -> None:
        """Store the turn in this transaction."""
        trigger = Trigger(
            id=f"{UNREADABLE}:{room_id}:{session_id}",
            lane=lane_of_room(room_id, LaneKind.CONTROL),
            kind=LaneKind.CONTROL,
            input=json.dumps({"room_id": room_id}),
        )
        await self._inbox.store_with(connection, [trigger])


class Unreadable:
    """Says it, at most once an hour in a room."""

    def __init__(
        self, users: VirtualUsers, rooms: RoomStore, unasked: Unasked, tongue: Tongue
    ) -> None:
        self._users = users
        self._rooms = rooms
        self._unasked = unasked
        self._tongue = tongue

    async def say(self, turn: Turn) -> Sequence[Outgoing]:
        """The line, encrypted like everything there."""
        room = await self._view(RoomID(turn.input["room_id"]))
        if room is None or not room.people or room.is_wide:
            return ()
        if not await self._unasked.may(turn, room, Kind.UNREADABLE, None):
            return ()
        speaker = room.host(self._users.main)
        language = self._tongue.of("", room.chosen.get("language", AUTOMATIC))
        reply = Reply(
            markdown=self._tongue.say(messages.unreadable(), language),
            sender=speaker,
            notice=not room.is_direct,
        )
        marker = {"to": turn.trigger_id, "kind": UNREADABLE}
        contents = render_message(reply, Address(room_id=room.room_id), marker)
        return [
            Outgoing(kind=SendKind.MESSAGE, room_id=room.room_id, sender=speaker, content=each)
            for each in contents
        ]

    async def _view(self, room_id: RoomID) -> RoomView | None:
        try:
            return await self._rooms.view(room_id, self._users.main)
        except MatrixError as error:
            if error.outlasted:
                raise
            return None
