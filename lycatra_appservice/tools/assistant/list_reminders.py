"""The tool that lists what a room's people will be reminded of."""

from datetime import timedelta

from lycatra_appservice.toolkit.base import Tool, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.tools._plain import plain_text
from lycatra_appservice.tools.assistant._reminders import moment, waiting


class ListRemindersArgs(ToolArgs):
    """Nothing to choose."""


async def run(args: ListRemindersArgs, ctx: ToolContext) -> ToolResult:
    """The next one first; those of all people of the room, who will read them anyway."""
    found = await waiting(ctx)
    lines = [
        f"- {each.number}: {moment(each.at, ctx.zone)}, {each.by}: {plain_text(each.text)}"
        for each in found
    ]
    return ToolResult(
        data={
            "reminders": [
                {
                    "number": each.number,
                    "at": each.at.astimezone(ctx.zone).isoformat(),
                    "of": each.by,
                    "text": each.text,
                }
                for each in found
            ]
        },
        markdown="\n".join(["⏰ Reminders of this room:", "", *lines])
        if found
        else "No reminder is waiting here.",
    )


TOOL = Tool(
    name="list_reminders",
    title="List reminders",
    summary="Lists the reminders that wait in this room.",
    args=ListRemindersArgs,
    run=run,
    example="list reminders",
    timeout=timedelta(seconds=15),
)
