"""Wiring of what rooms are told unasked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from lycatra_appservice.app.approving import Approving
from lycatra_appservice.app.coming_and_going import Ground
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.handlers.dispatch import Job
from lycatra_appservice.chat.news.again import AGAIN, AskingAgain
from lycatra_appservice.chat.news.looking import LookingAround
from lycatra_appservice.chat.news.proposing import Proposing
from lycatra_appservice.chat.news.publishing import Announcement, OnNews, Publisher
from lycatra_appservice.chat.news.subscribing import SubscribingHandler
from lycatra_appservice.chat.news.telling import NewsTeller
from lycatra_appservice.chat.progress import ProgressNotices
from lycatra_appservice.chat.settings_page import SettingsPage
from lycatra_appservice.hooks.routes import HOOK
from lycatra_appservice.toolkit.context import Contexts
from lycatra_appservice.turns.approvals import Approvals
from lycatra_appservice.turns.news import NEWS, NewsTable


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingNews:
    """The handler of `!subscribe`, who is told of rooms that were left, and the jobs."""

    subscribing: SubscribingHandler
    teller: NewsTeller
    looking: LookingAround
    jobs: Mapping[str, Job]


def build_news(
    ground: Ground,
    approving: Approving,
    composer: Composer,
    calls: ProgressNotices,
    contexts: Contexts,
    settings: Mapping[str, object],
    announcements: Sequence[Announcement],
    on_news: OnNews,
    page: SettingsPage,
    zone: ZoneInfo,
    now: Callable[[], datetime],
) -> TellingNews:
    """Put it together; `settings` has the checked section of every namespace."""
    table = NewsTable(ground.database)
    namespaces = ground.registry.namespaces
    publisher = Publisher(table, announcements, ground.rooms, ground.defaults, zone, now, on_news)
    looking = LookingAround(namespaces, settings, contexts, ground.users, publisher)
    proposing = Proposing(ground.gate, approving.desk, approving.settling, calls, composer)
    teller = NewsTeller(table, ground.users, ground.rooms, proposing)
    again = AskingAgain(
        Approvals(ground.database), ground.registry, ground.users, ground.rooms, proposing
    )
    return TellingNews(
        subscribing=SubscribingHandler(
            table, looking.with_news(), announcements, ground.rights, page, composer
        ),
        teller=teller,
        looking=looking,
        jobs={NEWS: teller.run, AGAIN: again.run, HOOK: looking.take},
    )
