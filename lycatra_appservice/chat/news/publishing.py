"""From news to the rooms that want them: those of the configuration, and those that subscribed."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from lycatra_appservice.chat.room_settings import RoomDefaults, RoomSettings
from lycatra_appservice.freeze_times import frozen_until
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import JSON, RoomID
from lycatra_appservice.toolkit.news import LONGEST_KEY, LONGEST_NEWS, News
from lycatra_appservice.turns.news import NewsItem, NewsTable, subject
from lycatra_appservice.words.text import said_to_json

logger = logging.getLogger(__name__)

_AT_ONCE: Final = timedelta(0)


# Hears that a namespace has something new, by its name.
OnNews: TypeAlias = Callable[[str], Awaitable[None]]


async def told_to_nobody(_: str) -> None:
    """Where only rooms are told."""


class Announcement(Protocol):
    """An entry of `announcements` in the configuration."""

    @property
    def room(self) -> str:
        """The ID of the room that is told."""

    @property
    def about(self) -> str:
        """A namespace."""

    @property
    def only(self) -> str:
        """What of it: a service, or empty for all."""


class Publisher:
    """Stores a turn for each room that wants to be told."""

    def __init__(
        self,
        table: NewsTable,
        announcements: Sequence[Announcement],
        rooms: RoomStore,
        defaults: RoomDefaults,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        on_news: OnNews = told_to_nobody,
    ) -> None:
        self._on_news = on_news
        self._table = table
        self._announcements = announcements
        self._rooms = rooms
        self._defaults = defaults
        self._zone = zone
        self._now = now

    async def publish(self, namespace: str, news: Sequence[News]) -> None:
        """Have each told once, in their order, in every room that wants it now.

        What cannot be told (an empty or long key) is left out, with a word in the log. Raises
        StoreUnavailableError; then all may be published again.
        """
        for each in news:
            if not 0 < len(each.key) <= LONGEST_KEY:
                logger.error("news_without_key", extra={"namespace": namespace})
                continue
            item = NewsItem(
                namespace=namespace, key=each.key, ends=each.ends, input=_input(namespace, each)
            )
            rooms = await self._rooms_for(namespace, each)
            if await self._table.publish(item, rooms):
                logger.info(
                    "news_published",
                    extra={"namespace": namespace, "about": each.about, "rooms": len(rooms)},
                )
        if news:
            await self._on_news(namespace)

    async def _rooms_for(self, namespace: str, news: News) -> Mapping[RoomID, timedelta]:
        configured = [
            RoomID(each.room)
            for each in self._announcements
            if each.about == namespace and subject(each.only) in ("", subject(news.about))
        ]
        subscribed = await self._table.rooms(namespace, news.about)
        found = dict.fromkeys([*configured, *subscribed])
        return {room: await self._delay(room) if news.can_wait else _AT_ONCE for room in found}

    async def _delay(self, room_id: RoomID) -> timedelta:
        """Until the end of its quiet hours; a room that cannot be looked at has none."""
        try:
            room = await self._rooms.view(room_id)
        except MatrixError:
            return _AT_ONCE
        now = self._now().astimezone(self._zone)
        end = frozen_until(RoomSettings.of(self._defaults, room.chosen).quiet_times, now)
        return _AT_ONCE if end is None else end - now


def _input(namespace: str, news: News) -> dict[str, JSON]:
    proposal = news.proposal
    return {
        "namespace": namespace,
        "about": news.about,
        "text": said_to_json(news.markdown[:LONGEST_NEWS]),
        "proposal": None
        if proposal is None
        else {
            "tool": proposal.tool,
            "args": dict(proposal.args),
            "lifetime_s": proposal.lifetime.total_seconds(),
        },
    }
