"""Makes our tools of what a server lists."""

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

import mcp_types as types

from lycatra_appservice.model import JSON, Caller
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.approvals import Plan
from lycatra_appservice.toolkit.base import (
    Effect,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.toolkit.remote.arguments import arguments_for
from lycatra_appservice.toolkit.remote.asking import PATIENCE
from lycatra_appservice.toolkit.remote.connection import OnProgress
from lycatra_appservice.toolkit.remote.failures import RemoteError, refused
from lycatra_appservice.toolkit.remote.hints import title_of, trust_in, warning_of
from lycatra_appservice.toolkit.remote.naming import names_for
from lycatra_appservice.toolkit.remote.results import result_from, words_of
from lycatra_appservice.toolkit.remote.schema import (
    UnusableSchemaError,
    plain_line,
    plain_schema,
)

logger = logging.getLogger(__name__)

MOST_TOOLS: Final = 200
_LONGEST_SUMMARY: Final = 600
_LONGEST_PLANNED: Final = 300
_LONGEST_PROGRESS: Final = 100
_SPARE: Final = timedelta(seconds=10)  # so that the connection's own words come first


class Calls(Protocol):
    """The way to the server."""

    async def call(
        self, tool: str, arguments: Mapping[str, JSON], caller: Caller, on_progress: OnProgress
    ) -> types.CallToolResult:
        """Raises RemoteError."""


def tools_from(
    namespace: str,
    server: McpServer,
    listed: Sequence[types.Tool],
    taken: Collection[str],
    calls: Calls,
) -> Sequence[AnyTool]:
    """Those that the configuration takes and that can be used; `taken` are names of others."""
    by_name = {tool.name: tool for tool in listed if server.takes(tool.name)}
    if len(by_name) > MOST_TOOLS:
        extra = {"server": namespace, "tools": len(by_name), "kept": MOST_TOOLS}
        logger.warning("remote_too_many_tools", extra=extra)
    names = names_for(namespace, sorted(by_name)[:MOST_TOOLS], taken)
    made: list[AnyTool] = []
    for theirs, ours in names.items():
        try:
            made.append(_made(ours, namespace, server, by_name[theirs], calls))
        except UnusableSchemaError as exc:
            extra = {"server": namespace, "tool": plain_line(theirs, 60), "reason": str(exc)}
            logger.warning("remote_tool_unusable", extra=extra)
    return made


def _made(
    name: str, namespace: str, server: McpServer, listed: types.Tool, calls: Calls
) -> Tool[ToolArgs]:
    trust = trust_in(server, listed.name)
    changes = trust.effect is Effect.CHANGE
    summary = _summary(namespace, listed)

    async def run(args: ToolArgs, ctx: ToolContext) -> ToolResult:
        return await _call(calls, namespace, listed.name, name, args, ctx, changes=changes)

    async def plan(args: ToolArgs, ctx: ToolContext) -> Plan:
        # What it says of itself is part of it: a tool that has become another one is asked anew.
        says = plain_line(summary, _LONGEST_PLANNED)
        called = f"`{plain_line(listed.name, 60)}` of `{namespace}` ({_print_of(listed)})"
        return Plan(target=None, steps=(f"{called}: {says}", *_warnings(listed)))

    return Tool(
        name=name,
        title=title_of(listed),
        summary=summary,
        args=arguments_for(plain_schema(listed.input_schema)),
        run=run,
        example=name.replace("_", " "),
        effect=trust.effect,
        level=trust.level,
        plan=plan if changes else None,
        timeout=server.timeout * 2 + PATIENCE + _SPARE,
    )


def _warnings(listed: types.Tool) -> Sequence[str]:
    warning = warning_of(listed)
    return () if warning is None else (warning,)


def _print_of(listed: types.Tool) -> str:
    """Another one for a tool that is called the same and does, or says, something else."""
    said = [listed.name, listed.title, listed.description, listed.input_schema]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:6]


def _summary(namespace: str, listed: types.Tool) -> str:
    said = plain_line(listed.description or "", _LONGEST_SUMMARY)
    return said or f"A tool of {namespace}, which does not say what it does."


async def _call(
    calls: Calls,
    namespace: str,
    theirs: str,
    ours: str,
    args: ToolArgs,
    ctx: ToolContext,
    *,
    changes: bool,
) -> ToolResult:
    def progressed(text: str) -> None:
        ctx.progress(plain_line(text, _LONGEST_PROGRESS))

    arguments: Mapping[str, Any] = args.model_dump(mode="json")
    try:
        answer = await calls.call(theirs, arguments, ctx.caller, progressed)
        if answer.is_error:
            raise refused(namespace, words_of(answer, 300))
    except RemoteError as exc:
        ctx.log.info("remote_call_failed", extra={"reason": str(exc)})
        raise exc.for_people(changes=changes) from exc
    return result_from(answer, ours)
