"""Keeps what was found of a service, and tells it: each release once, whoever finds it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lycatra_appservice.toolkit.base import News, ToolContext
from lycatra_appservice.tools.updates._kept_releases import (
    TIMES,
    Kept,
    change,
    kept_of,
    told_once_more,
    with_new,
)
from lycatra_appservice.tools.updates._proposing import is_worth_deploying, proposal_of
from lycatra_appservice.tools.updates._release import Release
from lycatra_appservice.tools.updates._release_words import told
from lycatra_appservice.tools.updates._version_order import newest_first

_SHOWN_WITH_IT: Final = 8
_LONGEST_WITH_IT: Final = 40  # characters of a title: all of them are kept with the newest


async def remember_old(service: str, releases: Sequence[Release], ctx: ToolContext) -> None:
    """Keep what was there at the first look, for lists; nobody is told."""
    now = int(ctx.now().timestamp())
    old = [Kept(release=each, found_at=now, told=TIMES, is_old=True) for each in releases]

    def changed(kept: Sequence[Kept]) -> Sequence[Kept]:
        there = {each.name for each in kept}
        return [*kept, *(each for each in old if each.name not in there)]

    await change(service, ctx, changed)


async def take_in(service: str, releases: Sequence[Release], ctx: ToolContext) -> None:
    """Keep releases, the newest first, that were not known; they are told by `news_of`.

    Those that were found at once are told together. Only the newest is proposed.
    """
    before = await kept_of(service, ctx)
    known = {each.name for each in before if not each.is_old}
    found = {each.name: each for each in releases if each.name not in known}
    if not found:
        return
    newest, *rest = _newest_first(list(found.values()))
    kept = Kept(
        release=newest,
        found_at=int(ctx.now().timestamp()),
        is_proposed=await is_worth_deploying(
            service, newest.version, [each.release.version for each in before], ctx
        ),
        with_it=_with_it(rest),
    )
    told_with = [
        replace(kept, release=each, told_by=newest.name, is_proposed=False, with_it=(), told=TIMES)
        for each in rest
    ]
    await change(service, ctx, lambda now: with_new(now, [kept, *told_with]))


async def news_of(service: str, ctx: ToolContext) -> Sequence[News]:
    """What is to be told of a service now, the oldest first."""
    kept = await kept_of(service, ctx)
    due = [each for each in kept if each.is_due]
    if not due:
        return []
    await change(service, ctx, told_once_more)
    return [as_news(service, each, ctx) for each in reversed(due)]


async def news_of_one(service: str, name: str, ctx: ToolContext) -> Sequence[News]:
    """The same for one release, however often it was told; none if it is told with another."""
    kept = await kept_of(service, ctx)
    return [
        as_news(service, each, ctx)
        for each in kept
        if each.name == name and not each.is_old and not each.told_by
    ]


def as_news(service: str, kept: Kept, ctx: ToolContext) -> News:
    """The same, word for word, whenever it is told."""
    proposal = proposal_of(service, kept.release.version, ctx) if kept.is_proposed else None
    return News(
        key=f"release:{service.casefold()}:{kept.name}",
        about=service,
        markdown=told(service, kept),
        proposal=proposal,
    )


def _newest_first(releases: Sequence[Release]) -> Sequence[Release]:
    """By their versions; what has no place in that order stays behind the others."""
    order = newest_first([each.version for each in releases])
    return sorted(releases, key=lambda each: order.index(each.version))


def _with_it(rest: Sequence[Release]) -> Sequence[str]:
    names = [each.version or _cut(each.title) for each in rest]
    more = len(names) - _SHOWN_WITH_IT
    return (*names[:_SHOWN_WITH_IT], *([f"{more} more"] if more > 0 else []))


def _cut(title: str) -> str:
    return title if len(title) <= _LONGEST_WITH_IT else f"{title[:_LONGEST_WITH_IT]}…"
