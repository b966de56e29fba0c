"""`!usage`: one's own use where one asks, and that of everybody only before an admin's eyes."""

from collections.abc import Sequence

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.budget_words import usage
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.routes import Control
from lycatra_appservice.chat.usage_page import UsagePage
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Inbound, Level, Outgoing, Reply
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Text


class UsageHandler:
    """Answers whoever may ask at all."""

    def __init__(
        self, page: UsagePage, rights: Rights, private: PrivateAnswers, composer: Composer
    ) -> None:
        self._page = page
        self._rights = rights
        self._private = private
        self._composer = composer

    async def handle(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Show it; where others read along, an admin gets it in the direct chat."""
        asker = inbound.sender
        if await self._rights.level(asker, room.room_id) is Level.NONE:
            return self._said(route, messages.may_not_ask(), inbound, room)
        own = await self._page.own(asker, room)
        # Not by a right that somebody has in this room alone: it is about all rooms.
        if await self._rights.level(asker, None) < Level.ADMIN:
            return self._said(route, own, inbound, room)
        whole = usage([own, "", await self._page.of_all()])
        if await self._private.is_alone(asker, room.room_id):
            return self._said(route, whole, inbound, room)
        direct = await self._private.room_with(turn, asker)
        reply = Reply(markdown=whole, sender=route.speaker, subject=route.word.value)
        return self._private.rows(reply, direct, inbound, room)

    def _said(
        self, route: Control, said: Text, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        subject = route.word.value
        reply = Reply(markdown=said, sender=route.speaker, notice=True, subject=subject)
        return self._composer.answer(reply, inbound, room)
