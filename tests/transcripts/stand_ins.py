"""The shipped tools behind the real gate, giving what a transcript says in place of the world."""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from lycatra_appservice.chat.approvals import wording
from lycatra_appservice.chat.approvals.settling import NotApprovedError
from lycatra_appservice.errors import (
    InvalidArgumentsError,
    NotAllowedError,
    ToolFailedError,
    ToolTimeoutError,
    UnknownToolError,
)
from lycatra_appservice.model import JSON, UserID
from lycatra_appservice.toolkit.approvals import Approved, NeedsApprovalError
from lycatra_appservice.toolkit.base import Namespace, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from lycatra_appservice.toolkit.toolbox import Toolbox
from lycatra_appservice.words.spans import in_seconds
from lycatra_appservice.words.text import Text
from tests.support.toolbench import OPERATOR, VIEWER, bench
from tests.transcripts.transcript import Call, Plain, Transcript

Beside: TypeAlias = Callable[[Registry], Registry]

NOT_EXPECTED: Final = "This cannot be found out now."


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A call that a model made; `expected` is the one of the transcript that it is, if any.

    `mistake` says why the gate did not even run it: an unknown tool, wrong arguments, no right.
    """

    tool: str
    arguments: Mapping[str, JSON]
    expected: Call | None = None
    mistake: str | None = None


@dataclass(slots=True)
class StandIns:
    """What was called in one play, and what people were asked for."""

    transcript: Transcript
    made: list[Made] = field(default_factory=list)
    asked_people: list[str] = field(default_factory=list)

    def next_for(self, tool: AnyTool, args: ToolArgs) -> Call | None:
        """The expected call that this is; made again, it is the same one again."""
        given: dict[str, Plain] = args.model_dump(mode="json")
        defaults = {
            name: None if about.is_required() else about.default
            for name, about in tool.args.model_fields.items()
        }
        wanted = [
            each
            for each in sorted(self.transcript.calls, key=lambda each: each.slip)
            if each.call == tool.name and each.writes is None
        ]
        fitting = [each for each in wanted if each.fits(given, defaults)]
        fresh = [each for each in fitting if not self._was_made(each)]
        return next(itertools.chain(fresh, fitting), None)

    def _was_made(self, call: Call) -> bool:
        return any(each.expected is call for each in self.made)

    def as_registry(self) -> Registry:
        """The shipped tools with their own names, words, arguments and rights."""
        real = discover()
        tools = {
            space.name: [self._instead_of(tool) for tool in real.tools_of(space.name)]
            for space in real.namespaces
        }
        return Registry(real.namespaces, tools)

    def _instead_of(self, tool: AnyTool) -> AnyTool:
        async def run(args: ToolArgs, _: ToolContext) -> ToolResult:
            expected = self.next_for(tool, args)
            given = args.model_dump(mode="json", exclude_defaults=True)
            self.made.append(Made(tool=tool.name, arguments=given, expected=expected))
            if expected is None:
                raise ToolFailedError(NOT_EXPECTED)
            return _given(tool, expected)

        # Not cached: each call is to be seen.
        return replace(tool, run=run, plan=None, cache_for=tool.cache_for * 0)


class RehearsedToolbox:
    """The gate as the agent has it, with people who decide as the transcript says."""

    def __init__(self, toolbox: Toolbox, stand_ins: StandIns) -> None:
        self._toolbox = toolbox
        self._stand_ins = stand_ins

    def tools(self) -> Sequence[AnyTool]:
        """See ToolboxPort."""
        return self._toolbox.tools()

    def namespace_of(self, tool_name: str) -> Namespace:
        """See ToolboxPort."""
        return self._toolbox.namespace_of(tool_name)

    async def call(self, name: str, raw_args: Mapping[str, JSON], *, key: str) -> ToolResult:
        """See ToolboxPort."""
        before = len(self._stand_ins.made)
        try:
            return await self._toolbox.call(name, raw_args)
        except NeedsApprovalError as needed:
            return await self._decided(needed)
        except (UnknownToolError, NotAllowedError, InvalidArgumentsError) as wrong:
            if len(self._stand_ins.made) == before:  # not by the tool itself
                made = Made(tool=name, arguments=raw_args, mistake=wrong.user_message)
                self._stand_ins.made.append(made)
            raise

    async def _decided(self, needed: NeedsApprovalError) -> ToolResult:
        on = self._stand_ins
        on.asked_people.append(needed.tool)
        tool = self._toolbox.tool(needed.tool)
        args = tool.args.model_validate(dict(needed.arguments))
        expected = on.next_for(tool, args)
        if expected is not None and expected.people == "approve":
            approved = Approved(number=1, args_hash=needed.args_hash, code="abc", by=(OPERATOR,))
            return await self._toolbox.call(needed.tool, needed.arguments, approved=approved)
        given = args.model_dump(mode="json", exclude_defaults=True)
        on.made.append(Made(tool=needed.tool, arguments=given, expected=expected))
        if expected is not None and expected.people == "deny":
            raise NotApprovedError(Text("was_denied", people=wording.people([OPERATOR])))
        raise NotApprovedError(Text("was_not_decided"))


def as_shipped(registry: Registry) -> Registry:
    """No other tools than those that ship."""
    return registry


@asynccontextmanager
async def rehearsed(
    transcript: Transcript, beside: Beside = as_shipped
) -> AsyncIterator[tuple[RehearsedToolbox, StandIns]]:
    """The tools as the asker of this transcript has them, and those `beside` them."""
    stand_ins = StandIns(transcript)
    registry = beside(stand_ins.as_registry())
    async with bench(registry=registry, zone=transcript.zone.key) as on:
        toolbox = on.toolbox(asker_of(transcript), namespace=transcript.only)
        yield RehearsedToolbox(toolbox, stand_ins), stand_ins


def asker_of(transcript: Transcript) -> UserID:
    """Who asks."""
    return OPERATOR if transcript.person == "operator" else VIEWER


def _given(tool: AnyTool, expected: Call) -> ToolResult:
    if expected.slow:
        raise ToolTimeoutError(
            Text("tool_took_too_long", tool=tool.name, span=in_seconds(tool.timeout))
        )
    if expected.fails is not None:
        raise ToolFailedError(expected.fails)
    if expected.wrong is not None:
        raise InvalidArgumentsError(expected.wrong.said, expected.wrong.problems)
    return ToolResult(data=expected.result, markdown="", note=expected.note)
