"""The tool that keeps a fact for a room."""

from datetime import timedelta

from lycatra_appservice.toolkit.base import (
    Field,
    Tool,
    ToolArgs,
    ToolContext,
    ToolFailedError,
    ToolResult,
)
from lycatra_appservice.tools._plain import plain_text
from lycatra_appservice.tools.assistant._discreet import check_discreet
from lycatra_appservice.tools.assistant._facts import LONGEST, MOST, fact_as_json, facts_of


class RememberArgs(ToolArgs):
    """What to keep."""

    text: str = Field(min_length=3, max_length=LONGEST, description="The fact, in a sentence.")


async def run(args: RememberArgs, ctx: ToolContext) -> ToolResult:
    """Keep it; what is known already stays as it is, so that a call may be made again.

    Raises ToolFailedError for what looks like a secret, and when there is no room for more.
    """
    text = " ".join(args.text.split())
    check_discreet(text)
    facts = facts_of(ctx)
    known = await facts.all()
    note = next((each for each in known if each.text.casefold() == text.casefold()), None)
    if note is None and len(known) >= MOST:
        raise ToolFailedError(
            f"I remember {len(known)} things for this room, and no more than that. `!recall` "
            f"lists them; `!recall forget={known[0].number}` lets me forget the oldest."
        )
    is_new = note is None
    if note is None:
        note = await facts.add(text, ctx.caller, ctx.now())
    else:
        await facts.keep(note)
    said = "I remember for this room" if is_new else "I know that already"
    return ToolResult(
        data={"fact": fact_as_json(note, ctx), "is_new": is_new},
        markdown=f"📝 {said}, as number {note.number}: {plain_text(note.text)}",
    )


TOOL = Tool(
    name="remember",
    title="Remember",
    summary="Keeps a fact for this room, when a person asks for it.",
    args=RememberArgs,
    run=run,
    example="remember the router is in the cellar",
    timeout=timedelta(seconds=15),
)
