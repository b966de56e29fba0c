"""What tools remember of a room: it moves with the room, and ends when we leave it."""

from typing import Protocol

from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import RoomID


class Places(Protocol):
    """Keeps it, by room."""

    async def forget_place(self, place: str) -> None:
        """Erase all of one room."""

    async def carry_over(self, place: str, successor: str) -> None:
        """Let a room know what another one knew."""


class RoomMemory:
    """Every method may be called again."""

    def __init__(self, places: Places, rooms: RoomStore) -> None:
        self._places = places
        self._rooms = rooms

    async def left(self, room_id: RoomID) -> None:
        """Forget what a room told us, unless another of us is still there."""
        if not await self._is_ours(room_id):
            await self._places.forget_place(room_id)

    async def moved(self, old: RoomID, new: RoomID) -> None:
        """A room goes on in another one."""
        await self._places.carry_over(old, new)

    async def _is_ours(self, room_id: RoomID) -> bool:
        try:
            return bool((await self._rooms.view(room_id)).ours)
        except MatrixError as error:
            if error.outlasted:
                raise
            return False
