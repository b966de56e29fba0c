"""From a reply to what goes into the room: who speaks, who must come in first, and how."""

from collections.abc import Sequence
from dataclasses import replace

from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.messages import in_the_name_of
from lycatra_appservice.matrix.render import render_message
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Address, Inbound, Outgoing, Reply, SendKind


class Composer:
    """Pure: the same reply gives the same rows, also when a turn is run again."""

    def __init__(self, users: VirtualUsers, tongue: Tongue) -> None:
        self._users = users
        self._tongue = tongue

    def answer(self, reply: Reply, inbound: Inbound, room: RoomView) -> Sequence[Outgoing]:
        """Rows for a reply to a message.

        A virtual user that is not in a group comes in first, which @lycatra makes possible. In a
        DM nobody comes in, since that would make it a group: who is there says for whom he speaks.
        """
        language = self._tongue.of(inbound.body, room.chosen.get("language"))
        if reply.sender in room.ours:
            return self.messages(reply, inbound, language)
        # Who was sent away does not come back by himself.
        stays_out = room.is_direct or reply.sender in room.gone
        if stays_out or self._users.main not in room.ours:
            return self.messages(self._spoken_for(reply, room), inbound, language)
        coming = Outgoing(kind=SendKind.JOIN, room_id=room.room_id, sender=reply.sender)
        return [coming, *self.messages(reply, inbound, language)]

    def messages(
        self, reply: Reply, inbound: Inbound, language: str | None = None
    ) -> Sequence[Outgoing]:
        """Only the messages of a reply, from the one who speaks."""
        spoken = language or self._tongue.of(inbound.body)
        reply = replace(reply, markdown=self._tongue.say(reply.markdown, spoken))
        address = Address(
            room_id=inbound.room_id, reply_to=inbound.event_id, thread=inbound.thread
        )
        marker = {"to": inbound.event_id, "kind": "message"}
        return [
            Outgoing(
                kind=SendKind.MESSAGE,
                room_id=inbound.room_id,
                sender=reply.sender,
                content=content,
            )
            for content in render_message(reply, address, marker)
        ]

    def _spoken_for(self, reply: Reply, room: RoomView) -> Reply:
        speaker = room.host(self._users.main)
        if speaker == reply.sender:
            return reply
        name = self._users.display_name(reply.sender)
        return replace(reply, sender=speaker, markdown=in_the_name_of(name, reply.markdown))
