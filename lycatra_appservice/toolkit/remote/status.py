"""The one tool of a server's namespace that is always there: how the server is."""

from datetime import timedelta
from typing import Protocol

from lycatra_appservice.model import Level
from lycatra_appservice.toolkit.base import Scope, Tool, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.remote.connection import Condition
from lycatra_appservice.toolkit.remote.naming import status_name


class Watched(Protocol):
    """What is told of."""

    @property
    def condition(self) -> Condition:
        """How it is now."""

    @property
    def offered(self) -> int:
        """How many tools it has for us."""


class StatusArgs(ToolArgs):
    """Nothing to say."""


def status_tool(namespace: str, title: str, watched: Watched) -> Tool[StatusArgs]:
    """`github_status`, for everybody who may look: also while the server is away."""

    async def run(args: StatusArgs, ctx: ToolContext) -> ToolResult:
        condition = watched.condition
        since = condition.since.astimezone(ctx.zone).strftime("%Y-%m-%d %H:%M")
        state = "is connected" if condition.is_connected else "cannot be reached"
        tools = f"It has {watched.offered} tools for me."
        return ToolResult(
            data={
                "server": namespace,
                "is_connected": condition.is_connected,
                "since": since,
                "tools": watched.offered,
            },
            markdown=f"{title} {state} since {since}. {tools}",
        )

    return Tool(
        name=status_name(namespace),
        title=f"Is {title} there?",
        summary=(
            f"Tells whether the MCP server {namespace} can be reached now, since when, "
            "and how many tools it has."
        ),
        args=StatusArgs,
        run=run,
        example=status_name(namespace).replace("_", " "),
        level=Level.VIEWER,
        scope=Scope.SHARED,
        timeout=timedelta(seconds=5),
    )
