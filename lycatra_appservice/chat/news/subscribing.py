"""`!subscribe updates shop`, `!unsubscribe updates`: what a room is told unasked."""

from collections.abc import Sequence
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.control import ControlWord
from lycatra_appservice.chat.news import words
from lycatra_appservice.chat.news.publishing import Announcement
from lycatra_appservice.chat.routes import Control
from lycatra_appservice.chat.settings_page import SettingsPage, may_choose
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Inbound, Level, Outgoing, Reply
from lycatra_appservice.toolkit.arguments import shortened
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.turns.news import EVERYTHING, NewsTable, Subscription, subject
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said

_QUOTES: Final = "`'\" "


class SubscribingHandler:
    """Everybody who may ask sees what the room is told; who may change its settings chooses."""

    def __init__(
        self,
        table: NewsTable,
        namespaces: Sequence[str],
        announcements: Sequence[Announcement],
        rights: Rights,
        settings: SettingsPage,
        composer: Composer,
    ) -> None:
        """`namespaces` are those that have news to tell."""
        self._table = table
        self._namespaces = namespaces
        self._announcements = announcements
        self._rights = rights
        self._settings = settings
        self._composer = composer

    async def handle(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Do it, and say what it is now. Done twice it changes nothing."""
        said = await self._answer(route, inbound, room)
        reply = Reply(markdown=said, sender=route.speaker, notice=True)
        return self._composer.answer(reply, inbound, room)

    async def _answer(self, route: Control, inbound: Inbound, room: RoomView) -> Said:
        level = await self._rights.level(inbound.sender, room.room_id)
        if level is Level.NONE:
            return messages.may_not_ask()
        if not self._namespaces:
            return words.no_news_at_all()
        name, about = self._read(route.rest)
        if not name:
            return await self._shown(room)
        if name not in self._namespaces:
            return words.unknown_news(shortened(name), self._namespaces)
        if not may_choose(inbound.sender, level, room):
            return words.may_not_subscribe(self._settings.who_may(room))
        wanted = Subscription(namespace=name, about=about or EVERYTHING)
        if route.word is ControlWord.SUBSCRIBE:
            return await self._subscribe(wanted, inbound, room)
        return await self._unsubscribe(wanted, room)

    def _read(self, rest: str) -> tuple[str, str]:
        """A namespace and a service of it, also as one word: `updates shop`, `updates_shop`."""
        written = rest.casefold().strip(_QUOTES)
        name, space, about = written.partition(" ")
        if not space and name not in self._namespaces:
            name, _, about = written.partition("_")
        return name, subject(about.strip(_QUOTES))

    async def _subscribe(self, wanted: Subscription, inbound: Inbound, room: RoomView) -> Said:
        if wanted in self._configured(room) or not await self._table.subscribe(
            room.room_id, wanted, inbound.sender
        ):
            return words.already_subscribed(_named(wanted))
        return words.subscribed(wanted.namespace, wanted.about)

    async def _unsubscribe(self, unwanted: Subscription, room: RoomView) -> Said:
        was_there = await self._table.unsubscribe(room.room_id, unwanted)
        if any(_covers(unwanted, each) for each in self._configured(room)):
            return words.configured(_named(unwanted))
        if not was_there:
            return words.not_subscribed(_named(unwanted))
        return words.unsubscribed(_named(unwanted))

    async def _shown(self, room: RoomView) -> Said:
        chosen = await self._table.subscriptions(room.room_id)
        all_of_it = dict.fromkeys([*self._configured(room), *chosen])
        return words.subscriptions([_named(each) for each in all_of_it], self._namespaces)

    def _configured(self, room: RoomView) -> Sequence[Subscription]:
        return [
            Subscription(namespace=each.about, about=subject(each.only))
            for each in self._announcements
            if each.room == room.room_id
        ]


def _named(subscription: Subscription) -> str:
    return f"{subscription.namespace} {subscription.about}".strip()


def _covers(unwanted: Subscription, other: Subscription) -> bool:
    is_same = unwanted.namespace == other.namespace
    return is_same and unwanted.about in (EVERYTHING, other.about)
