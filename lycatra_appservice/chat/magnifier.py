"""🔍 on a message of ours: what it rests on, said below it to whoever may see that."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.router import is_too_old
from lycatra_appservice.chat.sources import Reader, SourcesPage
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import is_id, mapping, text
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import JSON, EventID, Inbound, Level, Outgoing, Reply, UserID
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.turns.known import OurMessage
from lycatra_appservice.words.text import Said

MAGNIFYING_GLASSES: Final = frozenset({"\U0001f50d", "\U0001f50e"})


class Magnifier:
    """Answers a reaction where the message stands that it is on, by whom said that."""

    def __init__(
        self, rooms: RoomStore, rights: Rights, sources: SourcesPage, composer: Composer
    ) -> None:
        self._rooms = rooms
        self._rights = rights
        self._sources = sources
        self._composer = composer

    async def look(
        self, reader: UserID, message: OurMessage, event_id: EventID, age: timedelta
    ) -> Sequence[Outgoing]:
        """The rows to send; none for a reaction of long ago, or where none of us is any more."""
        if is_too_old(age, only_reads=True):
            return ()
        try:
            room = await self._rooms.view(message.room_id, message.sender)
        except MatrixError as error:
            if error.outlasted:
                raise
            return ()
        said: Said = messages.may_not_ask()
        if await self._rights.level(reader, message.room_id) > Level.NONE:
            said = await self._sources.behind(message, Reader(reader, message.room_id))
        reply = Reply(markdown=said, sender=message.sender, notice=True, subject="sources")
        return self._composer.answer(reply, _as_asked(message, event_id, reader, age), room)


def _as_asked(message: OurMessage, event_id: EventID, reader: UserID, age: timedelta) -> Inbound:
    """As if the reader had replied to the message, in the words of its question."""
    relation = mapping(message.content.get("m.relates_to"))
    thread = relation.get("event_id") if relation.get("rel_type") == "m.thread" else None
    question: JSON = mapping(mapping(message.turn.input.get("event")).get("content"))
    return Inbound(
        event_id=event_id,
        room_id=message.room_id,
        sender=reader,
        msgtype="m.text",
        body=text(question.get("body")),
        age=age,
        thread=EventID(thread) if is_id(thread) else None,
    )
