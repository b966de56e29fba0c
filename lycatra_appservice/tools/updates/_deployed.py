"""How a deployment's end is told, and how deployments look in a list."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON, ToolResult
from lycatra_appservice.tools._tables import minute, one_line, table
from lycatra_appservice.tools.updates._book import Entry
from lycatra_appservice.tools.updates._phase import Ended, Outcome, Phase

_UNDER_WAY = "under way"
_WORDS = {
    Ended.KEPT: "✅ kept",
    Ended.NOT_DEPLOYED: "❌ not deployed",
    Ended.ROLLED_BACK: "↩️ rolled back",
    Ended.NOT_ROLLED_BACK: "⚠️ failed, not rolled back",
    Ended.UNFINISHED: "⚠️ unfinished",
}


def report_of(service: str, entry: Entry, outcome: Outcome, *, is_noted: bool) -> ToolResult:
    """What people read when it is over, in the words that the list has, too."""
    times = " · ".join(_took(phase) for phase in outcome.phases)
    parts = [_head(service, entry, outcome), outcome.why, f"({times})" if times else ""]
    return ToolResult(
        data={
            "service": service,
            "version": entry.version,
            "previous": entry.previous,
            "state": outcome.ended.value,
            "why": outcome.why,
            "phases": [each.to_json() for each in outcome.phases],
        },
        markdown="\n\n".join(part for part in parts if part),
        note=None if is_noted else "The database was away: `list deployments` lacks this one.",
    )


def _head(service: str, entry: Entry, outcome: Outcome) -> str:
    before = f", before {entry.previous}" if entry.previous else ""
    match outcome.ended:
        case Ended.KEPT if entry.is_back:
            return f"↩️ **`{service}` is back at {entry.version}**{before}."
        case Ended.KEPT:
            return f"✅ **`{service}` runs {entry.version}**{before}."
        case Ended.ROLLED_BACK:
            return (
                f"↩️ **`{service}` was rolled back to {entry.previous}**: {entry.version} failed."
            )
        case Ended.NOT_DEPLOYED:
            return f"❌ **`{service}` {entry.version} was not deployed.**"
        case Ended.NOT_ROLLED_BACK | Ended.UNFINISHED if entry.is_back:
            return f"⚠️ **`{service}` {entry.version} did not come back as it was.**"
        case Ended.NOT_ROLLED_BACK | Ended.UNFINISHED:
            return f"⚠️ **`{service}` {entry.version} failed and was not rolled back.**"


def _took(phase: Phase) -> str:
    return f"{phase.name} {phase.took_ms / 1000:.1f} s"


def entry_as_json(service: str, entry: Entry, zone: ZoneInfo) -> JSON:
    """One deployment for a program or a model."""
    ended_at = entry.ended_at
    return {
        "service": service,
        "version": entry.version,
        "previous": entry.previous,
        "state": entry.ended.value if entry.ended else _UNDER_WAY,
        "is_rollback": entry.is_back,
        "asked_by": entry.asked_by,
        "approved_by": list(entry.approved_by),
        "began": entry.began_at.astimezone(zone).isoformat(timespec="seconds"),
        "ended": ended_at.astimezone(zone).isoformat(timespec="seconds") if ended_at else None,
        "why": entry.why,
    }


def entries_table(page: Sequence[tuple[str, Entry]], zone: ZoneInfo) -> str:
    """All of a page; `page` has the service beside each."""
    return table(
        ("Began", "Ended", "Service", "Version", "State", "Asked by", "Approved by", "Why"),
        [_row(service, entry, zone) for service, entry in page],
    )


def _row(service: str, entry: Entry, zone: ZoneInfo) -> Sequence[str]:
    ended_at = minute(entry.ended_at, zone) if entry.ended_at else ""
    before = f" (before {entry.previous})" if entry.previous else ""
    return (
        minute(entry.began_at, zone),
        ended_at,
        service,
        f"{entry.version}{before}",
        _state(entry),
        entry.asked_by,
        ", ".join(entry.approved_by) or "nobody",
        one_line(entry.why),
    )


def _state(entry: Entry) -> str:
    if entry.ended is None:
        return f"⏳ {_UNDER_WAY}"
    if entry.ended is Ended.KEPT and entry.is_back:
        return "↩️ back at it"
    return _WORDS[entry.ended]
