"""Which rooms surely hold too many people to be a DM: a memory for the way in, for speed only."""

from time import monotonic
from typing import Final

from lycatra_appservice.model import RoomID

# Two people may leave before such a room can be a DM, and each leaving is an event of its own.
_CROWD: Final = 3
_REMEMBERED_SECONDS: Final = 60.0
_MAX_REMEMBERED: Final = 50_000


class Crowds:
    """One replica's memory. When in doubt a room is no crowd, and its messages are read."""

    def __init__(self) -> None:
        self._until: dict[RoomID, float] = {}

    def __contains__(self, room_id: RoomID) -> bool:
        """Whether it holds a crowd; remembered for a minute."""
        until = self._until.get(room_id)
        return until is not None and until > monotonic()

    def remember(self, room_id: RoomID, people: int) -> None:
        """So many people were seen in it."""
        if people < _CROWD:
            self.forget(room_id)
            return
        if len(self._until) >= _MAX_REMEMBERED:
            self._until.clear()
        self._until[room_id] = monotonic() + _REMEMBERED_SECONDS

    def forget(self, room_id: RoomID) -> None:
        """Look it up again next time."""
        self._until.pop(room_id, None)

    def forget_all(self) -> None:
        """Look all of them up again."""
        self._until.clear()
