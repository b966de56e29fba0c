"""What was seen of releases and done in deployments, as updates beside those of the sources."""

from collections.abc import Sequence
from typing import Final

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._tables import minute
from lycatra_appservice.tools.updates._book import Entry
from lycatra_appservice.tools.updates._collect import Collected
from lycatra_appservice.tools.updates._history import history_of
from lycatra_appservice.tools.updates._kept_releases import Kept, kept_of
from lycatra_appservice.tools.updates._phase import Ended
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._update import Update, When, clipped, read_when
from lycatra_appservice.tools.updates._version_order import plain
from lycatra_appservice.tools.updates._watching.memory import state_of, watched_services

_RELEASES: Final = ("release", "tag", "entry")
_ENDS: Final = {
    Ended.KEPT: "kept",
    Ended.NOT_DEPLOYED: "not deployed",
    Ended.ROLLED_BACK: "rolled back",
    Ended.NOT_ROLLED_BACK: "failed, not rolled back",
    Ended.UNFINISHED: "unfinished",
}


async def with_remembered(read: Collected, ctx: ToolContext) -> Collected:
    """What the sources gave and what is remembered, but a release that one of them tells of, too.

    What cannot be remembered now is a note.
    """
    settings = ctx.settings(UpdatesSettings)
    try:
        releases = [
            _release(service, each, ctx)
            for service in watched_services(settings)
            for each in await kept_of(service, ctx)
        ]
        deployments = [
            _deployment(deploy.service, each)
            for deploy in settings.deploy
            for each in await _entries(deploy.service, ctx)
        ]
        failing = await _failing(settings, ctx)
    except ToolFailedError as exc:
        lost = f"releases and deployments are left out: {exc.user_message.rstrip('.')}"
        return Collected(updates=read.updates, notes=[*read.notes, lost], failed=read.failed)
    known = {_named(each) for each in read.updates if each.version and each.kind in _RELEASES}
    return Collected(
        updates=[
            *read.updates,
            *(each for each in releases if not each.version or _named(each) not in known),
            *deployments,
        ],
        notes=[*read.notes, *failing],
        failed=read.failed,
    )


def _release(service: str, kept: Kept, ctx: ToolContext) -> Update:
    release = kept.release
    more = (f"and {release.more_notes} more",) if release.more_notes else ()
    found = read_when(kept.found_at, ctx.zone)
    return Update(
        service=service,
        kind="release",
        version=release.version or None,
        title=release.title,
        when=read_when(release.when, ctx.zone) or (None if kept.is_old else found),
        changes=(*release.notes, *more),
        url=release.url,
    )


def _deployment(service: str, entry: Entry) -> Update:
    return Update(
        service=service,
        kind="deployment",
        version=entry.version,
        title=clipped(_what_became(entry)),
        when=When(moment=entry.ended_at or entry.began_at, whole_day=False),
        changes=(clipped(entry.why),) if entry.why else (),
    )


def _what_became(entry: Entry) -> str:
    end = _ENDS[entry.ended] if entry.ended else "under way"
    if entry.is_back and entry.ended is Ended.KEPT:
        end = "brought back"
    if entry.ended is Ended.ROLLED_BACK and entry.previous:
        end = f"{end} to {entry.previous}"
    people = f", approved by {', '.join(entry.approved_by)}" if entry.approved_by else ""
    return f"Deployed: {end}{people}" if entry.ended is not None else f"Deployment {end}{people}"


async def _entries(service: str, ctx: ToolContext) -> Sequence[Entry]:
    book = await history_of(service, ctx).readable_book()
    current = book.current(ctx.now())
    return [*([current.entry] if current else []), *book.entries]


async def _failing(settings: UpdatesSettings, ctx: ToolContext) -> Sequence[str]:
    states = [(each, await state_of(each, ctx)) for each in settings.polled]
    return [
        f"`{source.name}`: not read since {_since(state.failing_since, ctx)}: {state.why}"
        for source, state in states
        if state.fails_for_long
    ]


def _since(moment: int, ctx: ToolContext) -> str:
    when = read_when(moment, ctx.zone)
    return minute(when.moment, ctx.zone) if when else "long"


def _named(update: Update) -> tuple[str, str]:
    return update.service.casefold(), plain(update.version or "")
