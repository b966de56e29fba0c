"""Lists more lines than fit into a chat."""

from lycatra_appservice.toolkit.base import Field, Tool, ToolArgs, ToolContext, ToolResult


class ListLinesArgs(ToolArgs):
    """How much there is."""

    lines: int = Field(default=2000, ge=1, le=5000, description="How many lines.")


def table_of(lines: int) -> str:
    """What the tool answers."""
    rows = "\n".join(f"| {n} | 🙂 line number {n} |" for n in range(lines))
    return f"| number | text |\n| --- | --- |\n{rows}"


async def run(args: ListLinesArgs, ctx: ToolContext) -> ToolResult:
    """A table of lines."""
    return ToolResult(
        data={"lines": args.lines}, markdown=table_of(args.lines), note="there are no more"
    )


TOOL = Tool(
    name="list_lines",
    title="List lines",
    summary="Lists as many lines as asked for, to see how a long answer goes out as a file.",
    args=ListLinesArgs,
    run=run,
    example="list lines",
)
