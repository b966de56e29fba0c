"""The events that later ones are about: from what is stored, else from the homeserver."""

from collections.abc import Mapping

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import is_id, mapping
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.seals import Seals
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, EventID, RoomID
from lycatra_appservice.turns.known import KnownTurn


class Originals:
    """Finds them as one of us who is in the room."""

    def __init__(
        self,
        client: MatrixClient,
        rooms: RoomStore,
        users: VirtualUsers,
        seals: Seals | None = None,
    ) -> None:
        self._client = client
        self._rooms = rooms
        self._users = users
        self._seals = seals

    async def find(
        self, known: KnownTurn | None, room_id: RoomID, event_id: EventID
    ) -> Mapping[str, JSON] | None:
        """The event, with the words it has for its turn; None when it is not of this room."""
        stored = mapping(known.input.get("event")) if known is not None else {}
        if stored.get("event_id") == event_id:
            return stored if stored.get("room_id") == room_id else None
        return await self.fetch(room_id, event_id)

    async def fetch(self, room_id: RoomID, event_id: EventID) -> Mapping[str, JSON] | None:
        """The event as the homeserver has it now, decrypted; None when we may not see it.

        Raises what is to be tried again.
        """
        try:
            room = await self._rooms.view(room_id)
            event = await self._client.event(
                room_id, event_id, as_user=room.host(self._users.main)
            )
        except MatrixError as error:
            if error.outlasted:
                raise
            return None
        found = mapping(event)
        is_it = found.get("event_id") == event_id and is_id(found.get("sender"))
        if not is_it:
            return None
        whole = {**found, "room_id": room_id}
        return whole if self._seals is None else await self._seals.read(whole)
