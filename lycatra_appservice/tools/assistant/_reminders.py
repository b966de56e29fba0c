"""Reminders of a room: notes for the list, and timers that say them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import ToolContext
from lycatra_appservice.tools.assistant._notes import Note, Notes

LONGEST: Final = 500  # characters
MOST: Final = 20  # of one person in one room
MOST_OF_ALL: Final = 90  # in one room


def reminders_of(ctx: ToolContext) -> Notes:
    """Those of the room, also of the last minutes that are over."""
    return Notes("reminder", ctx.state.room)


async def waiting(ctx: ToolContext) -> Sequence[Note]:
    """Those still to come, the next one first; what is over is forgotten."""
    notes = reminders_of(ctx)
    found = await notes.all()
    for each in found:
        if each.at <= ctx.now():
            await notes.drop(each.number)
    return sorted((each for each in found if each.at > ctx.now()), key=lambda each: each.at)


def timer_name(number: int) -> str:
    """Of the timer that says it."""
    return f"reminder {number}"


def moment(at: datetime, zone: ZoneInfo) -> str:
    """As people read it."""
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M} ({zone.key})"
