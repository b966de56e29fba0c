"""The tool that forgets a fact."""

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
from lycatra_appservice.tools.assistant._facts import fact_as_json, facts_of


class ForgetFactArgs(ToolArgs):
    """Which one."""

    number: int = Field(ge=1, le=1_000_000, description="Its number, from recall.")


async def run(args: ForgetFactArgs, ctx: ToolContext) -> ToolResult:
    """Forget it, whoever told it. Raises ToolFailedError for a number that there is not."""
    facts = facts_of(ctx)
    note = next((each for each in await facts.all() if each.number == args.number), None)
    if note is None:
        raise ToolFailedError(
            f"There is no fact {args.number} that I remember here. `!recall` lists them."
        )
    await facts.drop(note.number)
    return ToolResult(
        data={"forgotten": fact_as_json(note, ctx)},
        markdown=f"🗑️ Forgotten: {plain_text(note.text)} *(told by {note.by})*",
    )


TOOL = Tool(
    name="forget_fact",
    title="Forget a fact",
    summary="Forgets one remembered fact, when a person asks for it.",
    args=ForgetFactArgs,
    run=run,
    example="forget fact 3",
    timeout=timedelta(seconds=15),
)
