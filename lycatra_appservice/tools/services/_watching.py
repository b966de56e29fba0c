"""The regular look at all services, and what rooms are told of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pydantic import TypeAdapter

from lycatra_appservice.toolkit.base import News, ToolContext, Watcher
from lycatra_appservice.tools.services._fault_words import told
from lycatra_appservice.tools.services._faults import Damping, Event, Fault, Seen, after
from lycatra_appservice.tools.services._history import short
from lycatra_appservice.tools.services._kept import About, forget_others, keep, key_of
from lycatra_appservice.tools.services._remembering import remember
from lycatra_appservice.tools.services._settings import ServicesSettings
from lycatra_appservice.tools.services._watched import (
    Finding,
    Watched,
    look_at_all,
    watched_services,
)

_FAULT: Final = TypeAdapter(Fault)
_ALTOGETHER = timedelta(seconds=50)  # so that the next look is not late
# Whoever was cut off before an event was told tells it at the next look, but no old story.
_TOLD_AGAIN_S = 900


def has_work(settings: ServicesSettings) -> bool:
    """Whether there is something to look at."""
    return settings.watch and bool(watched_services(settings))


async def look(ctx: ToolContext) -> Sequence[News]:
    """Look at all services once, and return what is new; what was new just now, too.

    Raises ToolFailedError when what is remembered cannot be reached.
    """
    settings = ctx.settings(ServicesSettings)
    watched = watched_services(settings)
    findings = await look_at_all(watched, ctx, _ALTOGETHER)
    await remember(findings, ctx)
    damping = Damping(bad_looks=settings.alert_after_looks)
    news = [
        await _news(each, finding, damping, ctx)
        for each, finding in zip(watched, findings, strict=True)
        if each.alerts and finding.was_looked_at
    ]
    await forget_others(ctx)
    return [each for each in news if each is not None]


async def _news(
    watched: Watched, finding: Finding, damping: Damping, ctx: ToolContext
) -> News | None:
    now = int(ctx.now().timestamp())
    state = finding.state
    seen = Seen(at=now, ok=state.ok, detail=short(state.detail))
    key = key_of(About.FAULT, watched.name)
    fault = await keep(ctx, key, _FAULT, lambda before: after(before, seen, damping))
    if fault.event is None or now - fault.event.at > _TOLD_AGAIN_S:
        return None
    return _as_news(watched, fault.event, ctx)


def _as_news(watched: Watched, event: Event, ctx: ToolContext) -> News:
    return News(
        key=_key(watched, event.name),
        about=watched.name,
        markdown=told(watched.name, event, ctx.zone),
        can_wait=not watched.is_urgent,
        ends=_key(watched, event.ends) if event.ends else None,
    )


def _key(watched: Watched, name: str) -> str:
    return f"{watched.name.casefold()}/{name}"


WATCHER: Final = Watcher(name="services", every=timedelta(minutes=1), run=look, has_work=has_work)
