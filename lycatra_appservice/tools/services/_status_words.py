"""Tells how services are doing: as facts for a program, and as a table for people."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON, Component
from lycatra_appservice.tools._tables import minute, table
from lycatra_appservice.tools.services._history_words import how_long
from lycatra_appservice.tools.services._seeing.state import State
from lycatra_appservice.tools.services._settings import ITSELF
from lycatra_appservice.tools.services._watched import Finding

_MOST_TAGS = 4


def finding_as_json(finding: Finding, zone: ZoneInfo) -> dict[str, JSON]:
    """The facts; those that only containers and workloads have are left out of the others."""
    state = finding.state
    facts: dict[str, JSON] = {
        "name": finding.name,
        "ok": state.ok,
        "detail": state.detail,
        "took_ms": finding.took_ms,
    }
    if state.images:
        facts["image_tags"] = list(state.tags[:_MOST_TAGS])
    if state.restarts is not None:
        facts["restarts"] = state.restarts
    if state.running_since is not None:
        since = state.running_since.astimezone(zone)
        facts["running_since"] = since.isoformat(timespec="seconds")
    return facts


def component_as_json(component: Component, zone: ZoneInfo) -> JSON:
    """The facts of a part of Lycatra itself."""
    since = component.since.astimezone(zone) if component.since else None
    return {
        "name": component.name,
        "ok": component.ok,
        "detail": component.detail,
        "since": since.isoformat(timespec="seconds") if since else None,
    }


def as_table(
    findings: Sequence[Finding], components: Sequence[Component], now: datetime, zone: ZoneInfo
) -> str:
    """How many are down, and a line for each."""
    rows = [
        (_mark(each.state.ok), each.name, _detail(each.state, now), f"{each.took_ms} ms")
        for each in findings
    ]
    rows += [
        (_mark(part.ok), _own_name(part), part.detail, _since(part, zone)) for part in components
    ]
    head = f"**{_head(findings, components)}**"
    if len(rows) == 1 or any(part.since for part in components):
        head += f" (times in {zone.key})"
    return f"{head}\n\n{table(('', 'Service', 'Detail', 'Time'), rows)}"


def _head(findings: Sequence[Finding], components: Sequence[Component]) -> str:
    states = [*(each.state.ok for each in findings), *(part.ok for part in components)]
    if len(findings) == len(states) == 1:
        return f"{findings[0].name} is {'up' if states[0] else 'down'}"
    down = states.count(False)
    return f"{down} of {len(states)} down" if down else f"All {len(states)} up"


def _detail(state: State, now: datetime) -> str:
    """`running, healthy (1.27, 2 restarts, for 3 h 5 min)`."""
    facts = ", ".join(_facts(state, now))
    return f"{state.detail} ({facts})" if facts else state.detail


def _facts(state: State, now: datetime) -> Iterator[str]:
    yield from state.tags[:_MOST_TAGS]
    if state.restarts:
        yield f"{state.restarts} restart{'s' if state.restarts > 1 else ''}"
    if state.running_since is not None:
        yield f"for {how_long(int((now - state.running_since).total_seconds()))}"


def _mark(ok: bool) -> str:
    return "✅ up" if ok else "❌ down"


def _own_name(component: Component) -> str:
    return component.name if component.name == ITSELF else f"{ITSELF}: {component.name}"


def _since(component: Component, zone: ZoneInfo) -> str:
    return f"since {minute(component.since, zone)}" if component.since else ""
