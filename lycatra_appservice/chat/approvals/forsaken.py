"""What waits in a room that we are no longer in waits for nobody."""

from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import RoomID
from lycatra_appservice.turns.approvals import Approvals
from lycatra_appservice.turns.deciding import Deciding


class Forsaken:
    """Asked whenever one of us has left a room."""

    def __init__(self, approvals: Approvals, deciding: Deciding, rooms: RoomStore) -> None:
        self._approvals = approvals
        self._deciding = deciding
        self._rooms = rooms

    async def left(self, room_id: RoomID) -> None:
        """Withdraw what waits there, unless another of us is still there."""
        if await self._approvals.open_in(room_id) and not await self._is_ours(room_id):
            await self._deciding.withdraw_room(room_id)

    async def _is_ours(self, room_id: RoomID) -> bool:
        try:
            return bool((await self._rooms.view(room_id)).ours)
        except MatrixError as error:
            if error.outlasted:
                raise
            return False
