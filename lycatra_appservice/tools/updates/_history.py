"""Deployments as they are remembered for all replicas, and the one that may be under way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from lycatra_appservice.toolkit.base import JSON, KeyValues, ToolContext, ToolFailedError
from lycatra_appservice.tools.updates._book import (
    Book,
    Entry,
    UnderWay,
    book_from_json,
    book_to_json,
)
from lycatra_appservice.tools.updates._deploy_settings import Deploy

_PREFIX: Final = "deployments:"
# For a restart of the database, of this service, or of its machine in the middle.
_SLACK: Final = timedelta(minutes=15)
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 1.0


class BusyError(ToolFailedError):
    """Another deployment of the service is under way."""


class TakenOverError(ToolFailedError):
    """This deployment was left lying for so long that another one has begun."""


class UnreadableError(ToolFailedError):
    """What is remembered was written by a version of Lycatra that this one does not know."""


@dataclass(frozen=True, slots=True)
class History:
    """That of one service."""

    service: str
    values: KeyValues
    ctx: ToolContext

    async def book(self) -> Book:
        """All that is remembered.

        Raises UnreadableError, and ToolFailedError when the database is away.
        """
        return self._read(await self.values.get(self._key))

    async def readable_book(self) -> Book:
        """The same to be shown only: an empty one for what this version cannot read."""
        try:
            return await self.book()
        except UnreadableError as exc:
            self.ctx.log.warning("deployments_unreadable", extra={"reason": str(exc.__cause__)})
            return Book()

    async def begin(self, entry: Entry, deploy: Deploy) -> Book:
        """Take the service for this deployment; gives what was before.

        The same again is no other one: after a crash, or where nobody knows whether the database
        took it. Raises BusyError, ToolFailedError.
        """
        now, before = self.ctx.now(), Book()

        def begun(kept: JSON) -> JSON:
            nonlocal before
            before = self._read(kept)
            other = before.current(now)
            if other is not None and other.entry.deployment_id != entry.deployment_id:
                raise self.busy(other)
            return book_to_json(before.begun(entry, now + longest(deploy)))

        await self._insist(begun)
        return before

    async def hold(self, deployment_id: str, phase: str, deploy: Deploy) -> None:
        """Say which phase begins. Raises TakenOverError; a database that is away is no reason."""
        until = self.ctx.now() + longest(deploy)

        def held(kept: JSON) -> JSON:
            book = self._read(kept)
            way = book.under_way
            if way is None or way.entry.deployment_id != deployment_id:
                raise TakenOverError(
                    f"This deployment of `{self.service}` was interrupted for so long that it "
                    "does not go on. Look with `!list deployments` at what happened since."
                )
            return book_to_json(replace(book, under_way=replace(way, phase=phase, until=until)))

        try:
            await self.values.change(self._key, held)
        except TakenOverError:
            raise
        except ToolFailedError as exc:
            self.ctx.log.warning("deployment_not_noted", extra={"reason": exc.user_message})

    async def end(self, entry: Entry) -> bool:
        """Write down how it ended; whether the database took it."""
        try:
            await self._insist(lambda kept: book_to_json(self._read(kept).ended(entry)))
        except ToolFailedError as exc:
            self.ctx.log.warning("deployment_not_noted", extra={"reason": exc.user_message})
            return False
        return True

    async def _insist(self, change: Callable[[JSON], JSON]) -> None:
        """Change it, which may be done twice, through a short absence of the database."""
        for number in range(1, _TRIES + 1):
            try:
                await self.values.change(self._key, change)
            except (BusyError, UnreadableError):
                raise
            except ToolFailedError as exc:
                if number == _TRIES:
                    raise
                self.ctx.log.info("deployment_not_noted_yet", extra={"reason": exc.user_message})
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    def _read(self, kept: JSON) -> Book:
        try:
            return book_from_json(kept)
        except ValueError as exc:
            raise UnreadableError(
                f"This version of Lycatra cannot read what is remembered of the deployments of "
                f"`{self.service}`, so it begins none. Bring back the newer version that wrote it."
            ) from exc

    @property
    def _key(self) -> str:
        return f"{_PREFIX}{self.service}"

    def busy(self, way: UnderWay) -> BusyError:
        """What somebody reads who wants another one meanwhile."""
        began, end = (
            each.astimezone(self.ctx.zone).strftime("%H:%M")
            for each in (way.entry.began_at, way.until)
        )
        return BusyError(
            f"`{self.service}` is being deployed: {way.entry.version}, since {began}. Wait for "
            f"its end; if it was stopped from outside, the next one can begin at {end}."
        )


def history_of(service: str, ctx: ToolContext) -> History:
    """That of a service, by its name as it is configured."""
    return History(service, ctx.state.everywhere, ctx)


def longest(deploy: Deploy) -> timedelta:
    """How long one phase may take, until nobody counts on its deployment any more."""
    seconds = max(
        deploy.apply_seconds + deploy.canary_seconds, deploy.health_seconds, deploy.watch_seconds
    )
    return _SLACK + timedelta(seconds=seconds)
