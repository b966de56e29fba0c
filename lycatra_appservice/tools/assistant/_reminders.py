"""Reminders of a room: notes for the list, and timers that say them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON, ToolContext, ToolFailedError, ToolResult
from lycatra_appservice.tools._plain import plain_text
from lycatra_appservice.tools.assistant._notes import Note, Notes

LONGEST: Final = 500  # characters
MOST: Final = 20  # of one person in one room
MOST_OF_ALL: Final = 90  # in one room
_PAGE: Final = 20


def reminders_of(ctx: ToolContext) -> Notes:
    """Those of the room, also of the last minutes that are over."""
    return Notes("reminder", ctx.state.room)


async def waiting(ctx: ToolContext) -> Sequence[Note]:
    """Those still to come, the next one first; what is over is forgotten."""
    notes = reminders_of(ctx)
    found = await notes.all()
    for each in found:
        if each.at <= ctx.now():
            await notes.drop(each)
    return sorted((each for each in found if each.at > ctx.now()), key=lambda each: each.at)


def timer_name(number: int) -> str:
    """Of the timer that says it."""
    return f"reminder {number}"


def moment(at: datetime, zone: ZoneInfo) -> str:
    """As people read it."""
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M} ({zone.key})"


async def listed(offset: int, ctx: ToolContext) -> ToolResult:
    """The next one first; those of all people of the room, who will read them anyway."""
    found = await waiting(ctx)
    page = found[offset : offset + _PAGE]
    left = len(found) - offset - len(page)
    lines = [
        f"- {each.number}: {moment(each.at, ctx.zone)}, {each.by}: {plain_text(each.text)}"
        for each in page
    ]
    more = f"{left} later ones left out; ask with offset={offset + _PAGE}" if left > 0 else ""
    one = f"cancel={page[0].number} takes number {page[0].number} back" if page else ""
    return ToolResult(
        data={"reminders": [_as_json(each, ctx.zone) for each in page], "total": len(found)},
        markdown="\n".join(["⏰ Reminders of this room:", "", *lines])
        if page
        else "No reminder is waiting here.",
        note="; ".join(part for part in (more, one) if part) or None,
    )


async def cancelled(number: int, ctx: ToolContext) -> ToolResult:
    """Take one back. Raises ToolFailedError for one that there is not, or of somebody else."""
    note = next((each for each in await waiting(ctx) if each.number == number), None)
    if note is None:
        raise ToolFailedError(
            f"No reminder {number} waits here. `!remind me` lists those that do."
        )
    if note.by != ctx.caller.user_id:
        raise ToolFailedError(f"That is a reminder of {note.by}, who alone can take it back.")
    if not await ctx.cancel_timer(timer_name(number)):
        raise ToolFailedError(
            "I cannot take it back any more: it is being said just now, or was set before this "
            "room was upgraded. Delete the message that asked for it."
        )
    await reminders_of(ctx).drop(note)
    return ToolResult(
        data={"cancelled": _as_json(note, ctx.zone)},
        markdown=f"🗑️ I shall not remind you: {plain_text(note.text)}",
    )


def check_number(known: Sequence[Note], asker: str) -> None:
    """Raise ToolFailedError where one more is too many."""
    if len(known) >= MOST_OF_ALL:
        raise ToolFailedError(
            f"{len(known)} reminders are waiting in this room, and I keep no more than that. "
            "`!remind me` lists them; who set one can take it back."
        )
    own = [each for each in known if each.by == asker]
    if len(own) >= MOST:
        raise ToolFailedError(
            f"{len(own)} reminders of yours are waiting here, and I keep no more than that. "
            f"`!remind me` lists them; `!remind me cancel={own[-1].number}` takes the last back."
        )


def _as_json(note: Note, zone: ZoneInfo) -> JSON:
    at = note.at.astimezone(zone).isoformat()
    return {"number": note.number, "at": at, "of": note.by, "text": note.text}
