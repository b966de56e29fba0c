"""Messages that we cannot read."""

from collections.abc import Mapping, Sequence

from lycatra_appservice.chat.encrypted_rooms import EncryptedRooms
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Outgoing, RoomID
from lycatra_appservice.turns.turn import Turn


class EncryptedHandler:
    """Has the first one of a room explained; all that follow cost a look-up."""

    def __init__(
        self,
        users: VirtualUsers,
        rooms: RoomStore,
        client: MatrixClient,
        encrypted: EncryptedRooms,
    ) -> None:
        self._users = users
        self._rooms = rooms
        self._client = client
        self._encrypted = encrypted

    async def handle(self, turn: Turn, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        """Say nothing here: a turn of its own does, whichever event was the first."""
        room_id = RoomID(event["room_id"])
        if not await self._encrypted.is_explained(room_id):
            room = await self._encrypted_room(room_id)
            if room is not None:
                await self._encrypted.found(room)
        return ()

    async def _encrypted_room(self, room_id: RoomID) -> RoomView | None:
        """The room, if it is encrypted indeed: anybody can send such an event anywhere."""
        try:
            room = await self._rooms.view(room_id, self._users.main)
            if not room.encrypted:
                if not await self._is_really_encrypted(room):
                    return None
                await self._rooms.drop(room_id)  # the push of it was lost
                room = await self._rooms.view(room_id, *room.ours)
        except MatrixError as error:
            if error.outlasted:
                raise
            return None
        return room if room.encrypted else None

    async def _is_really_encrypted(self, room: RoomView) -> bool:
        """Ask for the one event: to read a whole room takes long, and anybody can make us look."""
        host = room.host(self._users.main)
        state = await self._client.state_event(room.room_id, "m.room.encryption", as_user=host)
        return state is not None
