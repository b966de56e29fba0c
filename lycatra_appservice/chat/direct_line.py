"""A line to a person in their direct room, about something that cannot be said where it is."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.attachments import rows_of
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.matrix.direct_rooms import DirectRooms, NoDirectRoomError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Address, Outgoing, Reply, RoomID, UserID
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.catalogue import AUTOMATIC
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
        room_id = await self.open(turn, person)
        if room_id is None:
            return ()
        reply = Reply(markdown=said, sender=self._users.main)
        return self.rows(reply, room_id, {"to": turn.trigger_id, "kind": "message"})

    async def open(self, turn: Turn, person: UserID) -> RoomID | None:
        """The room, once for a turn; None when there is none and none can be opened.

        Raises LycatraError that is outlasted while that cannot be told.
        """

        async def open_room() -> JSON:
            try:
                return await self._direct.open(person)
            except NoDirectRoomError as error:
                logger.info("no_direct_line", extra={"user_id": person, "error": str(error)})
                return None

        found = await turn.step("direct_line", open_room)
        return None if found is None else RoomID(found)

    def rows(
        self,
        reply: Reply,
        room_id: RoomID,
        marker: Mapping[str, JSON],
        *,
        words: str = "",
        chosen: object = AUTOMATIC,
    ) -> Sequence[Outgoing]:
        """The rows of a reply, which @lycatra says for whoever it is by.

        In the language that is `chosen`, else in that of `words`.
        """
        language = self._tongue.of(words, chosen)
        main = self._users.main
        if reply.sender != main:
            name = self._users.display_name(reply.sender)
            labelled = messages.in_the_name_of(name, reply.markdown)
            reply = replace(reply, sender=main, markdown=labelled)
        address = Address(room_id=room_id)
        return rows_of(
            reply, address, marker, "table", lambda said: self._tongue.say(said, language)
        )
