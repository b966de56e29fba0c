"""The entries that `lycatra audit` prints: found, and put into lines for people or programs."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from lycatra_appservice.audit.entry import Recorded
from lycatra_appservice.audit.store import AuditStore, Wanted
from lycatra_appservice.chat.call_words import call_in_words
from lycatra_appservice.cli.existing_database import existing_database
from lycatra_appservice.model import UserID
from lycatra_appservice.settings import DatabaseSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Which entries; `limit` are the last so many, None is all of them."""

    person: str | None
    tool: str | None
    since: datetime | None
    limit: int | None


async def export(
    settings: DatabaseSettings,
    wish: Export,
    line: Callable[[Recorded], str],
    show: Callable[[str], None],
) -> int:
    """Show a line for each entry, the oldest first; the service may run meanwhile.

    Returns how many there were.
    """
    found = 0
    async with existing_database(settings) as database:
        async for recorded in _found(AuditStore(database), wish):
            show(line(recorded))
            found += 1
    return found


async def _found(store: AuditStore, wish: Export) -> AsyncIterator[Recorded]:
    wanted = _wanted(wish)
    if wish.limit is None:
        async for recorded in store.all(wanted):
            yield recorded
        return
    for recorded in await store.latest(wanted, wish.limit, whole=True):
        yield recorded


def _wanted(wish: Export) -> Wanted:
    person = f"@{wish.person.removeprefix('@')}" if wish.person else ""
    is_whole = ":" in person
    return Wanted(
        person=UserID(person) if is_whole else None,
        beginning=f"{person}:" if person and not is_whole else None,
        tool="_".join(wish.tool.split()) if wish.tool else None,
        since=wish.since,
    )


def as_json(recorded: Recorded) -> str:
    """One JSON object; every key is always there."""
    entry = recorded.entry
    fields = {
        "id": recorded.id,
        "at": recorded.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "call": entry.call,
        "person": entry.person,
        "face": entry.face,
        "room": entry.room_id,
        "trigger": entry.trigger_id,
        "tool": entry.tool,
        "arguments": None if entry.arguments is None else json.loads(entry.arguments),
        "arguments_hash": entry.arguments_hash,
        "decision": entry.ruling,
        "outcome": entry.outcome or None,
        "took_ms": entry.took_ms,
        "approval": entry.approval,
        "approvers": list(entry.approvers),
        "reference": entry.reference,
    }
    return json.dumps(fields)


def as_line(recorded: Recorded, zone: ZoneInfo) -> str:
    """One line for a person, without what a terminal would obey."""
    entry = recorded.entry
    when = recorded.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    call = f"{entry.tool} …"
    if entry.arguments is not None:
        call = call_in_words(entry.tool, json.loads(entry.arguments))
    came_of = f"{entry.ruling} {entry.outcome}".strip()
    more = [
        f"by {', '.join(entry.approvers)}" if entry.approvers else "",
        f"approval {entry.approval}" if entry.approval else "",
        f"reference {entry.reference}" if entry.reference else "",
        f"{entry.took_ms / 1000:.1f} s" if entry.took_ms is not None else "",
    ]
    line = "  ".join([when, entry.person, call, came_of, *filter(None, more)])
    return "".join(each if each.isprintable() else "�" for each in line)
