"""The gate: the only way from a person, a model or an MCP client to a tool."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lycatra_appservice.errors import (
    NotAllowedError,
    ToolError,
    ToolFailedError,
    ToolTimeoutError,
    UnknownToolError,
)
from lycatra_appservice.model import JSON, Caller
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.approvals import (
    Approved,
    NeedsApprovalError,
    Plan,
    RuleFor,
    bound_to,
    declared_rule,
)
from lycatra_appservice.toolkit.arguments import checked_arguments, likely, shortened
from lycatra_appservice.toolkit.base import (
    Namespace,
    ToolArgs,
    ToolContext,
    ToolResult,
    ToolSummary,
)
from lycatra_appservice.toolkit.cache import ResultCache, cache_key
from lycatra_appservice.toolkit.discretion import Mask, discreet_result, make_discreet
from lycatra_appservice.toolkit.observing import CallObserver, Observation, Outcome, observed
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from lycatra_appservice.toolkit.results import bounded
from lycatra_appservice.toolkit.shown_arguments import plain_arguments, shown_arguments
from lycatra_appservice.words.spans import in_seconds
from lycatra_appservice.words.text import Text

logger = logging.getLogger(__name__)


class ContextSource(Protocol):
    """Makes the context of one call."""

    def for_call(
        self, caller: Caller, tool: AnyTool, namespace: Namespace, visible: Sequence[ToolSummary]
    ) -> ToolContext:
        """`visible` are the tools that the caller may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    registry: Registry
    access: Access
    contexts: ContextSource
    observer: CallObserver
    cache: ResultCache
    slots: Mapping[str, asyncio.Semaphore]  # by namespace
    rule_for: RuleFor
    conceal: Mask
    monotonic: Callable[[], float]


class Gate:
    """Opens a toolbox for a caller; holds what all calls of this process share."""

    def __init__(
        self,
        registry: Registry,
        access: Access,
        contexts: ContextSource,
        observer: CallObserver,
        *,
        slots_per_namespace: int = 8,
        monotonic: Callable[[], float] = time.monotonic,
        rule_for: RuleFor = declared_rule,
        conceal: Mask = str,
    ) -> None:
        """At most `slots_per_namespace` tools of one namespace run at once, the others wait.

        `rule_for` tells who may approve what a tool changes. `conceal` takes the secrets of the
        configuration out of what tools say.
        """
        self._shared = _Shared(
            registry=registry,
            access=access,
            contexts=contexts,
            observer=observer,
            cache=ResultCache(monotonic),
            slots={
                each.name: asyncio.Semaphore(slots_per_namespace) for each in registry.namespaces
            },
            rule_for=rule_for,
            conceal=conceal,
            monotonic=monotonic,
        )

    def open(self, caller: Caller, *, namespace: str | None = None) -> "Toolbox":
        """The tools as this caller has them; `namespace` leaves only those of one virtual user."""
        return Toolbox(self._shared, caller, namespace)


class Toolbox:
    """What one caller may do. Cheap: open a new one for every turn, never keep it."""

    def __init__(self, shared: _Shared, caller: Caller, namespace: str | None) -> None:
        """Made by `Gate.open` only."""
        self._shared = shared
        self._caller = caller
        self._namespace = namespace

    def tools(self) -> tuple[AnyTool, ...]:
        """The tools that the caller may use, sorted by name."""
        return tuple(tool for tool in self._in_reach() if self._allowed(tool))

    def known_names(self) -> tuple[str, ...]:
        """Every name that is no secret, even of tools the caller may not use.

        So that a command for one of those is answered with what is missing, not as a typing error.
        """
        access, caller = self._shared.access, self._caller
        return tuple(t.name for t in self._in_reach() if not access.may(caller, t).hidden)

    def tool(self, name: str) -> AnyTool:
        """The tool called `name`, for its schema and summary.

        Raises UnknownToolError, with the likely name, for a hidden tool too; NotAllowedError.
        """
        tool = next((each for each in self._in_reach() if each.name == name), None)
        if tool is None:
            raise self._unknown(name)
        decision = self._shared.access.may(self._caller, tool)
        if decision.hidden:
            raise self._unknown(name)
        if not decision.allowed:
            raise NotAllowedError(
                Text("not_allowed", why=decision.why, who_could=decision.who_could)
            )
        return tool

    async def call(
        self, name: str, raw_args: Mapping[str, JSON], *, approved: Approved | None = None
    ) -> ToolResult:
        """Run a tool: permission, arguments, approval, cache, a free slot, then the tool itself.

        Raises ToolError with a sentence for the person; nothing else but cancellation. What
        changes something raises NeedsApprovalError, unless it is `approved` as it is now.
        """
        shared = self._shared
        with observed(shared.observer, self._caller, shared.monotonic) as observation:
            if name in self.known_names():
                observation.tool = name
            tool = self.tool(name)
            try:
                if tool.changes:
                    return await self._change(tool, raw_args, approved)
                return await self._answer(tool, raw_args, observation)
            except ToolError as error:
                make_discreet(error, shared.conceal)
                raise
            except Exception as exc:
                observation.outcome = Outcome.CRASHED
                raise self._crashed(tool, began=approved is not None) from exc

    async def _answer(
        self, tool: AnyTool, raw_args: Mapping[str, JSON], observation: Observation
    ) -> ToolResult:
        args = checked_arguments(tool, raw_args)
        cache = self._shared.cache
        key = cache_key(tool, args, self._caller)
        kept = cache.get(key)
        if kept is not None:
            observation.outcome = Outcome.CACHED
            return kept
        result = await self._result(tool, args)
        cache.put(key, tool, result)
        return result

    async def _change(
        self, tool: AnyTool, raw_args: Mapping[str, JSON], approved: Approved | None
    ) -> ToolResult:
        args = checked_arguments(tool, raw_args)
        plain = plain_arguments(args)
        plan = await self._in_time(tool, self._plan(tool, args))
        bound = bound_to(tool.name, plain, plan)
        if approved is None:
            raise NeedsApprovalError(
                tool=tool.name,
                title=tool.title,
                arguments=plain,
                shown=shown_arguments(args),
                plan=plan,
                args_hash=bound,
                rule=self._shared.rule_for(tool),
            )
        if approved.args_hash != bound:
            # The configuration is another one by now: not what people have seen and let through.
            raise ToolFailedError(Text("plan_has_changed", tool=tool.name))
        try:
            return await self._result(tool, args)
        except ToolTimeoutError as exc:
            raise ToolTimeoutError(Text("change_uncertain", said=exc.said)) from exc
        finally:
            namespace = self._shared.registry.namespace_of(tool.name).name
            looked = {each.name for each in self._shared.registry.tools_of(namespace)}
            self._shared.cache.forget(looked)

    async def _plan(self, tool: AnyTool, args: ToolArgs) -> Plan:
        if tool.plan is None:
            return Plan(target=tool.title, steps=())
        return await tool.plan(args, self._context(tool))

    async def _in_time(self, tool: AnyTool, looking: Awaitable[Plan]) -> Plan:
        deadline = asyncio.timeout(tool.timeout.total_seconds())
        try:
            async with deadline:
                return await looking
        except TimeoutError as exc:
            if deadline.expired():
                raise _timed_out(tool, had_slot=True) from exc
            raise

    def _context(self, tool: AnyTool) -> ToolContext:
        namespace = self._shared.registry.namespace_of(tool.name)
        return self._shared.contexts.for_call(self._caller, tool, namespace, self._summaries())

    async def _result(self, tool: AnyTool, args: ToolArgs) -> ToolResult:
        # Before it is cut, or half a secret would remain.
        return bounded(discreet_result(await self._run(tool, args), self._shared.conceal))

    async def _run(self, tool: AnyTool, args: ToolArgs) -> ToolResult:
        namespace = self._shared.registry.namespace_of(tool.name)
        context = self._context(tool)
        deadline = asyncio.timeout(tool.timeout.total_seconds())
        had_slot = False
        try:
            async with deadline, self._shared.slots[namespace.name]:
                had_slot = True
                return await tool.run(args, context)
        except TimeoutError as exc:
            # An inner timeout that the tool let through is the tool's mistake, not its deadline.
            if deadline.expired():
                raise _timed_out(tool, had_slot=had_slot) from exc
            raise

    def _crashed(self, tool: AnyTool, *, began: bool) -> ToolFailedError:
        error_id = secrets.token_hex(4)
        logger.exception("tool_crashed", extra={"tool": tool.name, "error_id": error_id})
        said = Text("tool_crashed", tool=tool.name, reference=error_id)
        return ToolFailedError(Text("change_uncertain", said=said) if began else said)

    def _in_reach(self) -> tuple[AnyTool, ...]:
        registry = self._shared.registry
        return registry.tools_of(self._namespace) if self._namespace else registry.tools

    def _allowed(self, tool: AnyTool) -> bool:
        return self._shared.access.may(self._caller, tool).allowed

    def _summaries(self) -> tuple[ToolSummary, ...]:
        registry = self._shared.registry
        return tuple(
            ToolSummary(
                name=tool.name,
                namespace=registry.namespace_of(tool.name).name,
                summary=tool.summary,
                example=tool.example,
            )
            for tool in registry.tools
            if self._allowed(tool)
        )

    def _unknown(self, name: str) -> UnknownToolError:
        visible = self.tools()
        meant = {alias: tool.name for tool in visible for alias in tool.also_called}
        meant |= {tool.name: tool.name for tool in visible}
        close = likely(name, list(meant))
        if close is None:
            return UnknownToolError(Text("unknown_tool", name=shortened(name)))
        return UnknownToolError(
            Text("unknown_tool_near", name=shortened(name), meant=meant[close])
        )


def _timed_out(tool: AnyTool, *, had_slot: bool) -> ToolTimeoutError:
    span = in_seconds(tool.timeout)
    if had_slot:
        return ToolTimeoutError(Text("tool_took_too_long", tool=tool.name, span=span))
    return ToolTimeoutError(Text("tool_waited_too_long", tool=tool.name, span=span))
