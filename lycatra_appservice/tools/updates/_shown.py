"""How updates look: as JSON, and as Markdown with times of the configured zone."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools._tables import minute, one_line, table
from lycatra_appservice.tools.updates._update import Update, When

_MOST_CHANGES = 4  # of each, when several updates are listed


def as_json(update: Update, zone: ZoneInfo) -> JSON:
    """One update for a program or a model; every key is always there."""
    return {
        "service": update.service,
        "version": update.version,
        "title": update.title,
        "date": _date(update.when, zone) if update.when else None,
        "kind": update.kind,
        "changes": list(update.changes),
        "url": update.url,
    }


def _date(when: When, zone: ZoneInfo) -> str:
    if when.whole_day:
        return when.moment.date().isoformat()
    return when.moment.astimezone(zone).isoformat(timespec="seconds")


def as_markdown(page: Sequence[Update], total: int, notes: Sequence[str], zone: ZoneInfo) -> str:
    if page:
        shown = f"{len(page)} of {total}" if total > len(page) else f"{total}"
        parts = [f"**Updates** ({shown}, times in {zone.key})", _entries(page, zone)]
    else:
        parts = ["No updates match." if total == 0 else "No more updates."]
    return "\n\n".join([*parts, *[f"⚠️ {one_line(note)}" for note in notes]])


def _entries(page: Sequence[Update], zone: ZoneInfo) -> str:
    if any(update.changes for update in page):
        most = _MOST_CHANGES if len(page) > 1 else max(len(page[0].changes), 1)
        return "\n\n".join(_with_changes(update, zone, most) for update in page)
    return table(
        ("When", "Service", "Version", "What"),
        [(_shown(u, zone), u.service, u.version or "", _what(u)) for u in page],
    )


def _with_changes(update: Update, zone: ZoneInfo, most: int) -> str:
    name = f"**{one_line(update.service)} {one_line(update.version or '')}".rstrip()
    head = " · ".join(part for part in (f"{name}**", _shown(update, zone), _what(update)) if part)
    lines = [f"- {one_line(change)}" for change in update.changes[:most]]
    if len(update.changes) > most:
        lines.append(f"- … and {len(update.changes) - most} more; ask for this one alone")
    return "\n".join([head, *lines])


def _what(update: Update) -> str:
    return f"{update.title} {update.url or ''}".strip()


def _shown(update: Update, zone: ZoneInfo) -> str:
    if update.when is None:
        return ""
    if update.when.whole_day:
        return update.when.moment.date().isoformat()
    return minute(update.when.moment, zone)
