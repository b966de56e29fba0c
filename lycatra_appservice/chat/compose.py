"""From a reply to what goes into the room: who speaks, who must come in first, and how."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from lycatra_appservice.chat.attachments import rows_of
from lycatra_appservice.chat.emoji import NO, YES
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.messages import in_the_name_of
from lycatra_appservice.chat.room_settings import RoomDefaults, RoomSettings
from lycatra_appservice.matrix.events import HOPS_MARKER, REPLY_MARKER
from lycatra_appservice.matrix.render import MAX_CONTENT_BYTES
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.tables import TableLook
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import (
    Address,
    EventID,
    Inbound,
    Outgoing,
    Reply,
    SendKind,
    UserID,
)


def is_event(inbound: Inbound) -> bool:
    """Whether it is a message in a room; else it stands for what nobody wrote."""
    return inbound.event_id.startswith("$")


class Composer:
    """Pure: the same reply gives the same rows, also when a turn is run again."""

    def __init__(
        self, users: VirtualUsers, tongue: Tongue, defaults: RoomDefaults | None = None
    ) -> None:
        """`defaults` are what holds in a room that has not chosen otherwise."""
        self._users = users
        self._tongue = tongue
        self._defaults = defaults or RoomSettings()

    def answer(
        self,
        reply: Reply,
        inbound: Inbound,
        room: RoomView,
        *,
        brings: bool = True,
        max_bytes: int = MAX_CONTENT_BYTES,
    ) -> Sequence[Outgoing]:
        """Rows for a reply to a message; without `brings` nobody comes in for it.

        A virtual user that is not in a group comes in first, which @lycatra makes possible. In a
        DM nobody comes in, since that would make it a group, nor before a crowd, nor where the
        room does not want it: who is there says for whom he speaks.
        """
        settings = self.settings(room)
        spoken = partial(
            self.messages,
            inbound=inbound,
            language=self.language(inbound, room),
            tables=settings.tables,
            max_bytes=max_bytes,
        )
        if reply.sender in room.ours:
            return spoken(reply)
        # Who was sent away does not come back by himself.
        stays_out = settings.virtual_users == "label" or reply.sender in room.gone
        if stays_out or not brings or not room.may_bring(self._users.main):
            return spoken(self._spoken_for(reply, room))
        coming = Outgoing(kind=SendKind.JOIN, room_id=room.room_id, sender=reply.sender)
        return [coming, *spoken(reply)]

    def acknowledgement(
        self, speaker: UserID, key: str, inbound: Inbound, room: RoomView
    ) -> Outgoing:
        """A reaction instead of an answer; nobody comes in only for that."""
        marker = {"to": inbound.event_id, "kind": "reaction", "part": 1, "of": 1}
        annotation = {"rel_type": "m.annotation", "event_id": inbound.event_id, "key": key}
        return Outgoing(
            kind=SendKind.REACTION,
            room_id=inbound.room_id,
            sender=speaker if speaker in room.ours else room.host(self._users.main),
            content={
                "m.relates_to": annotation,
                REPLY_MARKER: marker,
                HOPS_MARKER: inbound.hops + 1,
            },
        )

    def card(
        self, reply: Reply, inbound: Inbound, room: RoomView, card_room: RoomView
    ) -> Sequence[Outgoing]:
        """Rows of a card that people vote on: somebody may come in, the card, two seeds.

        It answers the message, or stands alone in another room than the message's.
        """
        if card_room.room_id == room.room_id:
            rows = self.answer(reply, inbound, room)
        else:
            elsewhere = Address(room_id=card_room.room_id)
            rows = self.line(reply, elsewhere, inbound.event_id, self.language(inbound, room))
        [*before, message] = rows
        marker = {**message.content[REPLY_MARKER], "kind": "card"}
        card = replace(
            message, kind=SendKind.CARD, content={**message.content, REPLY_MARKER: marker}
        )
        return [*before, card, *(_seed(card, key, n) for n, key in enumerate((YES, NO), 1))]

    def line(
        self, reply: Reply, address: Address, to: EventID, language: str, *, kind: str = "aside"
    ) -> Sequence[Outgoing]:
        """Something that is said on the occasion of an event without being its answer."""
        marker = {"to": to, "kind": kind}
        rows = rows_of(
            reply, address, marker, "list", lambda said: self._tongue.say(said, language)
        )
        return [_counted(row, 1) for row in rows]

    def language(self, inbound: Inbound, room: RoomView) -> str:
        """The language in which a message is answered."""
        return self._tongue.of(inbound.body, self.settings(room).language)

    def language_name(self, inbound: Inbound, room: RoomView) -> str:
        """What that language calls itself."""
        return self._tongue.name_of(self.language(inbound, room))

    def settings(self, room: RoomView) -> RoomSettings:
        """What holds in a room."""
        return RoomSettings.of(self._defaults, room.chosen)

    def messages(
        self,
        reply: Reply,
        inbound: Inbound,
        language: str | None = None,
        tables: TableLook = "table",
        max_bytes: int = MAX_CONTENT_BYTES,
    ) -> Sequence[Outgoing]:
        """Only the messages and files of a reply, from the one who speaks."""
        spoken = language or self._tongue.of(inbound.body, self._defaults.language)
        address = Address(
            room_id=inbound.room_id,
            reply_to=inbound.event_id if is_event(inbound) else None,
            thread=inbound.thread,
        )
        marker = {"to": inbound.event_id, "kind": "message"}
        rows = rows_of(
            reply,
            address,
            marker,
            tables,
            lambda said: self._tongue.say(said, spoken),
            max_bytes=max_bytes,
        )
        return [_counted(row, inbound.hops + 1) for row in rows]

    def _spoken_for(self, reply: Reply, room: RoomView) -> Reply:
        speaker = room.host(self._users.main)
        if speaker == reply.sender:
            return reply
        name = self._users.display_name(reply.sender)
        return replace(reply, sender=speaker, markdown=in_the_name_of(name, reply.markdown))


def _seed(card: Outgoing, key: str, rows_back: int) -> Outgoing:
    return Outgoing(
        kind=SendKind.REACTION,
        room_id=card.room_id,
        sender=card.sender,
        content={"m.relates_to": {"rel_type": "m.annotation", "key": key}},
        rows_back=rows_back,
    )


def _counted(row: Outgoing, hops: int) -> Outgoing:
    """The row with how many bots its conversation has gone through, where it becomes an event."""
    if row.kind is SendKind.UPLOAD:
        return row
    return replace(row, content={**row.content, HOPS_MARKER: hops})
