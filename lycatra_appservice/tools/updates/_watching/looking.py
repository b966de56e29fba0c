"""The regular look at watched sources, and what rooms are told of it."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.toolkit.base import News, ToolContext, Watcher
from lycatra_appservice.tools.updates._announcing import news_of, remember_old, take_in
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._watch_settings import (
    AtomWatch,
    GithubWatch,
    ImageWatch,
    Polled,
)
from lycatra_appservice.tools.updates._watching import atom, github, image
from lycatra_appservice.tools.updates._watching.asking import Asking
from lycatra_appservice.tools.updates._watching.memory import (
    forget_others,
    keep,
    state_of,
    watched_services,
)
from lycatra_appservice.tools.updates._watching.port import (
    Listing,
    SourceDownError,
    Validators,
)
from lycatra_appservice.tools.updates._watching.source_state import (
    SourceState,
    after_failure,
    after_look,
    new_in,
)

_AT_ONCE: Final = 8
_SHOWN_OLD: Final = 5  # of what was there before the first look, in lists


def has_work(settings: UpdatesSettings) -> bool:
    """Whether there is something to look at, or to tell of what hooks were told."""
    return bool(settings.watch)


async def look(ctx: ToolContext) -> Sequence[News]:
    """Look at all sources whose time has come, and return what is new; what was just now, too.

    Raises ToolFailedError when what is remembered cannot be reached.
    """
    settings = ctx.settings(UpdatesSettings)
    places = asyncio.Semaphore(_AT_ONCE)
    ends = await asyncio.gather(
        *(_in_turn(each, places, ctx) for each in settings.polled), return_exceptions=True
    )
    for error in ends:  # each source had its look before one of them stops all
        if error is not None:
            raise error
    news = [await news_of(each, ctx) for each in watched_services(settings)]
    await forget_others(ctx)
    return [each for of_one in news for each in of_one]


async def _in_turn(source: Polled, places: asyncio.Semaphore, ctx: ToolContext) -> None:
    before = await state_of(source, ctx)
    if before.is_due(source, _now(ctx)):
        async with places:
            await keep(source, await _looked(source, before, ctx), ctx)


async def _looked(source: Polled, before: SourceState, ctx: ToolContext) -> SourceState:
    try:
        listing = await _listing(source, before.validators, ctx)
    except SourceDownError as error:
        ctx.log.warning(
            "watched_source_failed",
            extra={
                "source": source.name,
                "reason": error.why,
                "detail": error.detail,
                "failures": before.failures + 1,
            },
        )
        jitter = random.SystemRandom().random()
        return after_failure(before, error, source, _now(ctx), jitter)
    if listing is not None:
        # Kept before the source's own state is: a look that is cut off in between finds it again.
        if before.first_at:
            await take_in(source.default_service, new_in(listing, before), ctx)
        else:
            await remember_old(source.default_service, listing.releases[:_SHOWN_OLD], ctx)
    return after_look(before, listing, source, _now(ctx))


async def _listing(source: Polled, before: Validators, ctx: ToolContext) -> Listing | None:
    try:
        async with asyncio.timeout(source.timeout_seconds):
            match source:
                case GithubWatch():
                    return await github.look_at_github(
                        source, _asking(github.MAX_BYTES, ctx), before
                    )
                case AtomWatch():
                    return await atom.look_at_feed(source, _asking(atom.MAX_BYTES, ctx), before)
                case ImageWatch():
                    return await image.look_at_image(source, _asking(image.MAX_BYTES, ctx), before)
    except TimeoutError as exc:
        raise SourceDownError(f"no answer within {source.timeout_seconds:g} s") from exc


def _asking(max_body_bytes: int, ctx: ToolContext) -> Asking:
    return Asking(http=ctx.http, now=ctx.now(), max_body_bytes=max_body_bytes)


def _now(ctx: ToolContext) -> int:
    return int(ctx.now().timestamp())


WATCHER: Final = Watcher(name="releases", every=timedelta(minutes=1), run=look, has_work=has_work)
