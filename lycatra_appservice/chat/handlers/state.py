"""The state of the rooms that we are in."""

from collections.abc import Mapping, Sequence

from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Outgoing, RoomID
from lycatra_appservice.turns.turn import Turn


class StateHandler:
    """Follows what rooms become."""

    def __init__(self, users: VirtualUsers, rooms: RoomStore) -> None:
        self._users = users
        self._rooms = rooms

    async def handle(self, turn: Turn, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        """Follow a state event; forget a room that the last of us has left.

        One that is late may be older than what is known by now: the room is read anew.
        """
        room_id = RoomID(event["room_id"])
        if turn.input.get("via") == "sync":
            await self._rooms.drop(room_id)
            return ()
        await self._rooms.apply(event)
        membership = mapping(event["content"]).get("membership")
        if (
            event["type"] == "m.room.member"
            and membership in ("leave", "ban")
            and self._users.is_ours(event["state_key"])
        ):
            await self._rooms.drop_if_left(room_id)
        return ()
