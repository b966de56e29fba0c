"""Deployments as they are remembered for all replicas, and the one that may be under way."""

import asyncio
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


@dataclass(frozen=True, slots=True)
class History:
    """That of one service."""

    service: str
    values: KeyValues
    ctx: ToolContext

    async def book(self) -> Book:
        """All that is remembered. Raises ToolFailedError when the database is away."""
        return book_from_json(await self.values.get(self._key))

    async def begin(self, entry: Entry, deploy: Deploy) -> Book:
        """Take the service for this deployment; gives what was before.

        The same again after a crash is no other one. Raises BusyError, ToolFailedError.
        """
        now, before = self.ctx.now(), Book()

        def begun(kept: JSON) -> JSON:
            nonlocal before
            before = book_from_json(kept)
            other = before.current(now)
            if other is not None and other.entry.deployment_id != entry.deployment_id:
                raise self.busy(other)
            return book_to_json(before.begun(entry, now + longest(deploy)))

        await self.values.change(self._key, begun)
        return before

    async def hold(self, deployment_id: str, phase: str, deploy: Deploy) -> None:
        """Say which phase begins. Raises TakenOverError; a database that is away is no reason."""
        until = self.ctx.now() + longest(deploy)

        def held(kept: JSON) -> JSON:
            book = book_from_json(kept)
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
        for _ in range(_TRIES):
            try:
                await self.values.change(
                    self._key, lambda kept: book_to_json(book_from_json(kept).ended(entry))
                )
            except ToolFailedError as exc:
                self.ctx.log.warning("deployment_not_noted", extra={"reason": exc.user_message})
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return True
        return False

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
