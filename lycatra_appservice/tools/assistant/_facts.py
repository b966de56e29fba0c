"""What a room lets the assistant remember."""

from typing import Final

from lycatra_appservice.toolkit.base import JSON, ToolContext
from lycatra_appservice.tools._plain import plain_text
from lycatra_appservice.tools.assistant._notes import Note, Notes

LONGEST: Final = 500  # characters
MOST: Final = 90  # of the 200 values that a room may have; reminders take as many


def facts_of(ctx: ToolContext) -> Notes:
    """Those of the room, or of the person who asks outside of one."""
    return Notes("fact", ctx.state.room)


def fact_line(note: Note, ctx: ToolContext) -> str:
    """One of a list."""
    teller = f"{note.by}, in my words" if note.by_model else note.by
    return f"- {note.number}: {plain_text(note.text)} *({teller}, {_day(note, ctx)})*"


def fact_as_json(note: Note, ctx: ToolContext) -> JSON:
    """The same for a program or a model."""
    told: dict[str, JSON] = {
        "number": note.number,
        "text": note.text,
        "told_by": note.by,
        "told_on": _day(note, ctx),
    }
    # Whoever asked need not have meant to tell it: a model can be talked into a call.
    return {**told, "in_words_of": "a model"} if note.by_model else told


def _day(note: Note, ctx: ToolContext) -> str:
    return note.at.astimezone(ctx.zone).date().isoformat()
