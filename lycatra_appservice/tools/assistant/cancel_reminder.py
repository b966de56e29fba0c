"""The tool that takes a reminder back."""

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
from lycatra_appservice.tools.assistant._reminders import reminders_of, timer_name, waiting


class CancelReminderArgs(ToolArgs):
    """Which one."""

    number: int = Field(ge=1, le=1_000_000, description="Its number.")


async def run(args: CancelReminderArgs, ctx: ToolContext) -> ToolResult:
    """Take it back. Raises ToolFailedError for one that there is not, or of somebody else."""
    note = next((each for each in await waiting(ctx) if each.number == args.number), None)
    if note is None:
        raise ToolFailedError(
            f"No reminder {args.number} waits here. `!list reminders` shows those that do."
        )
    if note.by != ctx.caller.user_id:
        raise ToolFailedError(f"That is a reminder of {note.by}, who alone can take it back.")
    await ctx.cancel_timer(timer_name(note.number))
    await reminders_of(ctx).drop(note.number)
    return ToolResult(
        data={"cancelled": {"number": note.number, "text": note.text}},
        markdown=f"🗑️ I shall not remind you: {plain_text(note.text)}",
    )


TOOL = Tool(
    name="cancel_reminder",
    title="Cancel reminder",
    summary="Takes back a reminder of the person who asks.",
    args=CancelReminderArgs,
    run=run,
    example="cancel reminder 2",
    timeout=timedelta(seconds=15),
)
