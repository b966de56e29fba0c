"""What follows when one of us has come into a room: a welcome, or why we cannot read there."""

from collections.abc import Sequence

from lycatra_appservice.chat.encrypted_rooms import EncryptedRooms
from lycatra_appservice.chat.unasked import Kind, Unasked
from lycatra_appservice.chat.welcome import Welcome
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Outgoing, UserID
from lycatra_appservice.turns.turn import Turn


class Arrival:
    """Greets once in a room, whoever of us came first; not before a crowd, nor in a space."""

    def __init__(self, unasked: Unasked, welcome: Welcome, encrypted: EncryptedRooms) -> None:
        self._unasked = unasked
        self._welcome = welcome
        self._encrypted = encrypted

    async def arrived(
        self, turn: Turn, room: RoomView, inviter: UserID, user: UserID
    ) -> Sequence[Outgoing]:
        """What `user` says after a person has invited it in; the rows must stay together."""
        if room.is_space:
            return ()
        if await self._encrypted.found(room, inviter):
            return ()
        if room.is_wide:
            return ()
        if not await self._unasked.may(turn, room, Kind.WELCOME, f"welcome|{room.room_id}"):
            return ()
        return await self._welcome.rows(
            self._welcome.introduce(user, room),
            inviter,
            user,
            room,
            {"to": turn.trigger_id, "kind": "message"},
            notice=True,
        )
