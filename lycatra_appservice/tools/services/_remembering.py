"""Adds what was seen of each service to its history."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import TypeAdapter

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools.services._history import History, Look, after
from lycatra_appservice.tools.services._kept import About, keep, key_of
from lycatra_appservice.tools.services._watched import Finding

_HISTORY: Final = TypeAdapter(History)


async def remember(findings: Sequence[Finding], ctx: ToolContext) -> Mapping[str, History]:
    """Add a look at each, and return the histories by name.

    No look fails because of this: what cannot be kept is logged, and not returned.
    """
    now = int(ctx.now().timestamp())
    kept: dict[str, History] = {}
    try:
        for each in findings:
            if each.was_looked_at:
                kept[each.name] = await _added(each, now, ctx)
    except ToolFailedError as exc:
        ctx.log.warning("history_not_kept", extra={"reason": str(exc)})
    return kept


async def _added(finding: Finding, now: int, ctx: ToolContext) -> History:
    state = finding.state
    look = Look(
        at=now,
        ok=state.ok,
        detail=state.detail,
        took_ms=finding.took_ms,
        restarts=state.restarts,
        running_since=state.running_since,
    )
    key = key_of(About.HISTORY, finding.name)
    return await keep(ctx, key, _HISTORY, lambda history: after(history, look))
