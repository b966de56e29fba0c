"""A line to a person in their direct room, about something that cannot be said where it is."""

import logging
from collections.abc import Sequence

from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.matrix.direct_rooms import DirectRooms, NoDirectRoomError
from lycatra_appservice.matrix.render import render_message
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Address, Outgoing, Reply, RoomID, SendKind, UserID
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said

logger = logging.getLogger(__name__)


class DirectLine:
    """Speaks as @lycatra, in the direct room that the person has with it or gets now."""

    def __init__(self, users: VirtualUsers, direct: DirectRooms, tongue: Tongue) -> None:
        self._users = users
        self._direct = direct
        self._tongue = tongue

    async def tell(self, turn: Turn, person: UserID, said: Said) -> Sequence[Outgoing]:
        """Return the rows of one line; nothing when there is no room for it.

        Raises LycatraError that is outlasted while no room can be opened.
        """

        async def open_room() -> JSON:
            try:
                return await self._direct.open(person)
            except NoDirectRoomError as error:
                logger.info("no_direct_line", extra={"user_id": person, "error": str(error)})
                return None

        found = await turn.step("direct_line", open_room)
        if found is None:
            return ()
        room_id = RoomID(found)
        words = self._tongue.say(said, self._tongue.of(""))
        reply = Reply(markdown=words, sender=self._users.main)
        marker = {"to": turn.trigger_id, "kind": "message"}
        return [
            Outgoing(
                kind=SendKind.MESSAGE, room_id=room_id, sender=self._users.main, content=content
            )
            for content in render_message(reply, Address(room_id=room_id), marker)
        ]
