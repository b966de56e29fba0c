"""The tool that says what a room let the assistant remember, and forgets it again."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.toolkit.base import (
    ONLY_BY_NAME,
    TOLD_LATER,
    Field,
    Tool,
    ToolArgs,
    ToolContext,
    ToolFailedError,
    ToolResult,
)
from lycatra_appservice.tools._plain import plain_text
from lycatra_appservice.tools.assistant._facts import fact_as_json, fact_line, facts_of
from lycatra_appservice.tools.assistant._notes import Note

_PAGE: Final = 20


class RecallArgs(ToolArgs):
    """About what; all without."""

    about: str | None = Field(default=None, max_length=100, description="Words in it; else all.")
    forget: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="The number of one to forget.",
        json_schema_extra={**TOLD_LATER, **ONLY_BY_NAME},
    )
    offset: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="How many newest ones to skip.",
        json_schema_extra={**TOLD_LATER, **ONLY_BY_NAME},
    )


async def run(args: RecallArgs, ctx: ToolContext) -> ToolResult:
    """The newest first; with words those that have most of them.

    Raises ToolFailedError for a number to forget that there is not.
    """
    if args.forget is not None:
        return await _forgotten(args.forget, ctx)
    facts = await facts_of(ctx).all()
    found = _about(args.about or "", facts[::-1])
    page = found[args.offset : args.offset + _PAGE]
    following = args.offset + len(page)
    left = len(found) - following
    lines = [fact_line(each, ctx) for each in page]
    head = "📝 What I remember for this room, as people told it" if page else _nothing(facts, args)
    return ToolResult(
        data={"facts": [fact_as_json(each, ctx) for each in page], "total": len(found)},
        markdown="\n".join([f"{head}:", "", *lines]) if page else head,
        note=_note(page, left, following),
    )


def _note(page: Sequence[Note], left: int, following: int) -> str | None:
    more = f"{left} more left out; ask with offset={following}" if left > 0 else ""
    one = f"forget={page[0].number} forgets number {page[0].number}" if page else ""
    return "; ".join(part for part in (more, one) if part) or None


async def _forgotten(number: int, ctx: ToolContext) -> ToolResult:
    facts = facts_of(ctx)
    note = next((each for each in await facts.all() if each.number == number), None)
    if note is None:
        raise ToolFailedError(
            f"There is no fact {number} that I remember here. `!recall` lists them."
        )
    await facts.drop(note)
    return ToolResult(
        data={"forgotten": fact_as_json(note, ctx)},
        markdown=f"🗑️ Forgotten: {plain_text(note.text)} *(told by {note.by})*",
    )


def _about(words: str, facts: Sequence[Note]) -> Sequence[Note]:
    wanted = words.casefold().split()
    having = [(sum(word in each.text.casefold() for word in wanted), each) for each in facts]
    best = max((count for count, _ in having), default=0)
    if not wanted:
        return facts
    return [each for count, each in having if count == best] if best else []


def _nothing(facts: Sequence[Note], args: RecallArgs) -> str:
    if not facts:
        return "I remember nothing for this room yet. `!remember` and a sentence lets me."
    if args.about and not args.offset:
        return f"Nothing of the {len(facts)} things that I remember has these words: `!recall`."
    return "There is nothing more that I remember."


TOOL = Tool(
    name="recall",
    title="Recall",
    summary="Tells or forgets the facts that people here asked to remember.",
    args=RecallArgs,
    run=run,
    example="recall router",
    timeout=timedelta(seconds=15),
)
