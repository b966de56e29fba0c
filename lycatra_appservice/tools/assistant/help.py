"""The tool that tells a person what they may do here."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from lycatra_appservice.toolkit.base import (
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
    ToolSummary,
    first_sentence,
)

_ITSELF = "help"
_HOW_TO_ASK = "Ask in your own words: in a direct chat just so, in a room begin with my name."


class HelpArgs(ToolArgs):
    """Nothing to choose."""


async def run(args: HelpArgs, ctx: ToolContext) -> ToolResult:
    """The caller's tools by namespace; `!` is printed because clients keep unknown `/` words."""
    tools = sorted(
        (tool for tool in ctx.visible_tools() if tool.name != _ITSELF),
        key=attrgetter("namespace", "name"),
    )
    by_namespace = {
        namespace: list(members)
        for namespace, members in groupby(tools, key=attrgetter("namespace"))
    }
    return ToolResult(
        data={
            "how_to_ask": _HOW_TO_ASK,
            "namespaces": [
                {"name": namespace, "tools": [_as_json(tool) for tool in members]}
                for namespace, members in by_namespace.items()
            ],
        },
        markdown="\n".join([_HOW_TO_ASK, *_commands(by_namespace)]),
    )


def _commands(by_namespace: dict[str, list[ToolSummary]]) -> Sequence[str]:
    if not by_namespace:
        return ["There is no command that you may use here yet."]
    lines = ["Or give a command, and I show the facts at once:", ""]
    for namespace, members in by_namespace.items():
        lines += [
            f"- **{namespace}**: `!{tool.example}` {first_sentence(tool.summary)}"
            for tool in members
        ]
    return lines


def _as_json(tool: ToolSummary) -> dict[str, str]:
    return {
        "name": tool.name,
        "summary": first_sentence(tool.summary),
        "example": f"!{tool.example}",
    }


TOOL = Tool(
    name=_ITSELF,
    title="Help",
    summary=(
        "Tells what this person may do here: each tool in one line with an example command, and "
        "how to ask. Use it when somebody asks what you can do."
    ),
    args=HelpArgs,
    run=run,
    example="help",
)
