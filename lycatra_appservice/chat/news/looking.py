"""The turns that ask namespaces for news: a watcher's slot has come, or a hook was called."""

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from lycatra_appservice.chat.handlers.dispatch import Job
from lycatra_appservice.chat.news.publishing import Publisher
from lycatra_appservice.errors import ToolError
from lycatra_appservice.foreign_code import contained
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Caller, Face, Outgoing
from lycatra_appservice.toolkit.base import Namespace, ToolContext
from lycatra_appservice.toolkit.context import Contexts
from lycatra_appservice.toolkit.news import Hook, News, Watcher
from lycatra_appservice.turns.schedule import Schedule
from lycatra_appservice.turns.turn import Turn

logger = logging.getLogger(__name__)

_WATCH: Final = "watch"  # begins the names of the schedules
_TO_TAKE: Final = timedelta(minutes=2)


def schedule_of(namespace: Namespace, watcher: Watcher) -> Schedule:
    """When a watcher looks."""
    return Schedule(
        name=f"{_WATCH}-{namespace.name}-{watcher.name}",
        every=watcher.every,
        first_after=timedelta(seconds=1),
    )


class LookingAround:
    """Runs watchers and hooks. Their failures are for the log: the next look may be better."""

    def __init__(
        self,
        namespaces: Sequence[Namespace],
        settings: Mapping[str, object],
        contexts: Contexts,
        users: VirtualUsers,
        publisher: Publisher,
    ) -> None:
        """`settings` has the checked section of every namespace."""
        self._namespaces = namespaces
        self._settings = settings
        self._contexts = contexts
        self._users = users
        self._publisher = publisher

    def with_news(self) -> Sequence[str]:
        """The namespaces that may have something to tell."""
        told = [
            home
            for home in self._namespaces
            for hook in home.hooks
            if hook.has_work is None or hook.has_work(self._settings[home.name])
        ]
        watched = [home for home, _ in self._watchers()]
        return sorted({home.name for home in (*told, *watched)})

    def schedules(self) -> Sequence[Schedule]:
        """Those of the watchers that have work."""
        return [schedule_of(home, watcher) for home, watcher in self._watchers()]

    def watching(self) -> Mapping[str, Job]:
        """The jobs of these schedules, by name."""
        return {
            schedule_of(home, watcher).name: partial(self._watch, home, watcher)
            for home, watcher in self._watchers()
        }

    async def take(self, turn: Turn) -> Sequence[Outgoing]:
        """The job: what a hook was told, which is tried again as every turn is."""
        name = turn.input.get("hook")
        for home in self._namespaces:
            for hook in home.hooks:
                if hook.name == name:
                    await self._take(home, hook, turn)
                    return ()
        logger.warning("hook_is_gone", extra={"hook": name})
        return ()

    def _watchers(self) -> Iterator[tuple[Namespace, Watcher]]:
        for home in self._namespaces:
            for watcher in home.watchers:
                if watcher.has_work is None or watcher.has_work(self._settings[home.name]):
                    yield home, watcher

    async def _watch(self, home: Namespace, watcher: Watcher, _: Turn) -> Sequence[Outgoing]:
        context = self._context(home, watcher.name)
        with _told_in_the_log(context, "watch_failed"):
            news = await self._in_time(watcher.run(context), watcher.timeout)
            await self._publisher.publish(home.name, news)
        return ()

    async def _take(self, home: Namespace, hook: Hook, turn: Turn) -> None:
        context = self._context(home, hook.name)
        news = await self._in_time(hook.take(turn.input.get("data"), context), _TO_TAKE)
        await self._publisher.publish(home.name, news)

    def _context(self, home: Namespace, name: str) -> ToolContext:
        nobody = Caller(user_id=self._users.of(home.name), face=Face.COMMAND)
        return self._contexts.for_work(nobody, home, name)

    @staticmethod
    async def _in_time(looking: Awaitable[Sequence[News]], at_most: timedelta) -> Sequence[News]:
        async with asyncio.timeout(at_most.total_seconds()):
            with contained():
                return await looking


@contextmanager
def _told_in_the_log(context: ToolContext, event: str) -> Iterator[None]:
    try:
        yield
    except ToolError as error:
        context.log.warning(event, extra={"reason": error.user_message})
    except TimeoutError:
        context.log.warning(event, extra={"reason": "timeout"})
