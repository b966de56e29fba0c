"""The gate: the only way from a person, a model or an MCP client to a tool."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from lycatra_appservice.errors import (
    NotAllowedError,
    StepCutOffError,
    StoreUnavailableError,
    ToolError,
    ToolFailedError,
    ToolTimeoutError,
    TurnOverError,
    UnknownToolError,
)
from lycatra_appservice.foreign_code import contained
from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.model import JSON, Caller, File, Level, UserID
from lycatra_appservice.toolkit.access import Decision
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
    Audience,
    Namespace,
    ToolArgs,
    ToolContext,
    ToolResult,
    ToolSummary,
)
from lycatra_appservice.toolkit.cache import ResultCache, cache_key
from lycatra_appservice.toolkit.context import ListVisible
from lycatra_appservice.toolkit.discretion import discreet_result, make_discreet
from lycatra_appservice.toolkit.observing import (
    CallAudit,
    CallObserver,
    CallWatch,
    Observation,
    Outcome,
)
from lycatra_appservice.toolkit.progress import OnProgress, ProgressOf, to_nobody, unheard
from lycatra_appservice.toolkit.redaction import Mask, wholly_shown_arguments
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from lycatra_appservice.toolkit.results import bounded, result_of, with_attached
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.toolkit.steps import JustRun, Steps
from lycatra_appservice.words.spans import in_seconds
from lycatra_appservice.words.text import Said, Text

logger = logging.getLogger(__name__)

ErrorT = TypeVar("ErrorT", bound=ToolError)


class ContextSource(Protocol):
    """Makes the context of one call."""

    def for_call(
        self,
        caller: Caller,
        tool: AnyTool,
        namespace: Namespace,
        list_visible: ListVisible,
        on_progress: OnProgress,
        steps: Steps,
        approved_by: Sequence[UserID] = (),
    ) -> "AttachingContext":
        """`list_visible` gives the tools that the caller may use."""


class AttachingContext(ToolContext, Protocol):
    """The context of one call, which keeps what the tool attaches."""

    @property
    def attached(self) -> Sequence[File]:
        """In the order in which it was attached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    registry: Registry
    rights: Rights
    contexts: ContextSource
    watch: CallWatch
    cache: ResultCache
    slots: Mapping[str, asyncio.Semaphore]  # by namespace
    rule_for: RuleFor
    mask: Mask
    conceal: Mask


@dataclass(frozen=True, slots=True)
class _Made:
    """A call on its way."""

    raw_args: Mapping[str, JSON]
    approved: Approved | None
    steps: Steps
    observation: Observation


class Gate:
    """Opens a toolbox for a caller; holds what all calls of this process share."""

    def __init__(
        self,
        registry: Registry,
        rights: Rights,
        contexts: ContextSource,
        observer: CallObserver,
        audit: CallAudit,
        *,
        mask: Mask = str,
        slots_per_namespace: int = 8,
        monotonic: Callable[[], float] = time.monotonic,
        rule_for: RuleFor = declared_rule,
        conceal: Mask = str,
    ) -> None:
        """At most `slots_per_namespace` tools of one namespace run at once, the others wait.

        `mask` takes the secrets of the configuration out of what others are shown, `conceal` out
        of what tools say. `rule_for` tells who may approve what a tool changes.
        """
        self._shared = _Shared(
            registry=registry,
            rights=rights,
            contexts=contexts,
            watch=CallWatch(observer, audit, mask, monotonic),
            cache=ResultCache(monotonic),
            slots={
                each.name: asyncio.Semaphore(slots_per_namespace) for each in registry.namespaces
            },
            rule_for=rule_for,
            mask=mask,
            conceal=conceal,
        )

    async def open(
        self,
        caller: Caller,
        *,
        namespace: str | None = None,
        progress: ProgressOf = to_nobody,
        proposes: str | None = None,
    ) -> "Toolbox":
        """The tools as this caller has them; `namespace` leaves only those of one virtual user.

        Looks up how the caller stands in the room, where the rights depend on it. `progress`
        hears what slow tools say of themselves while they run. For a change that one of our own
        users `proposes`, only those are asked for rights who have to approve it.
        """
        standing = await self._shared.rights.standing(caller.user_id, caller.room_id)
        if proposes is not None:
            return Toolbox(self._shared, caller, standing, namespace, progress, proposes)
        return self.open_for(caller, standing, namespace=namespace, progress=progress)

    def open_for(
        self,
        caller: Caller,
        standing: Standing,
        *,
        namespace: str | None = None,
        progress: ProgressOf = to_nobody,
    ) -> "Toolbox":
        """The same for who has just looked that up."""
        return Toolbox(self._shared, caller, standing, namespace, progress)


class Toolbox:
    """What one caller may do. Cheap: open a new one for every turn, never keep it."""

    def __init__(
        self,
        shared: _Shared,
        caller: Caller,
        standing: Standing,
        namespace: str | None,
        progress: ProgressOf,
        proposes: str | None = None,
    ) -> None:
        """Made by `Gate.open` only."""
        self._proposes = proposes
        self._progress = progress
        self._shared = shared
        self._caller = caller
        self._standing = standing
        self._namespace = namespace

    @property
    def level(self) -> Level:
        """How much the caller may do here."""
        return self._shared.rights.access.level(self._caller.user_id, self._standing)

    def tools(self) -> tuple[AnyTool, ...]:
        """The tools that the caller may use, sorted by name."""
        return tuple(tool for tool in self._in_reach() if self._allowed(tool))

    def namespace_of(self, tool_name: str) -> Namespace:
        """Where a tool of `tools()` lives."""
        return self._shared.registry.namespace_of(tool_name)

    def known_names(self) -> tuple[str, ...]:
        """Every name that is no secret, even of tools the caller may not use.

        So that a command for one of those is answered with what is missing, not as a typing error.
        """
        return tuple(tool.name for tool in self._in_reach() if not self._may(tool).hidden)

    def may_use_all(self, names: Collection[str]) -> bool:
        """Whether the caller may use each of these tools, of whatever namespace they are."""
        found = [self._shared.registry.tool(name) for name in names]
        return all(tool is not None and self._may(tool).allowed for tool in found)

    def has_private(self, names: Collection[str]) -> bool:
        """Whether one of these tools, of whatever namespace, answers its asker alone."""
        found = [self._shared.registry.tool(name) for name in names]
        return any(tool is not None and tool.audience is Audience.ASKER for tool in found)

    def tool(self, name: str) -> AnyTool:
        """The tool called `name`, for its schema and summary.

        Raises UnknownToolError, with the likely name, for a hidden tool too; NotAllowedError.
        """
        tool = self._find(name)
        if tool is None:
            raise self._unknown(name)
        decision = self._may(tool)
        if decision.hidden:
            raise self._unknown(name)
        if not decision.allowed:
            raise NotAllowedError(
                Text("not_allowed", why=decision.why, who_could=decision.who_could)
            )
        return tool

    def background_of(self, name: str, raw_args: Mapping[str, JSON]) -> str | None:
        """The name of the work, where a call has to be made in the background.

        None also for a call that cannot be made: that is found out by making it.
        """
        try:
            tool = self.tool(name)
            if tool.background is None:
                return None
            return tool.background(checked_arguments(tool, raw_args))
        except ToolError:
            return None

    async def call(
        self,
        name: str,
        raw_args: Mapping[str, JSON],
        *,
        approved: Approved | None = None,
        steps: Steps | None = None,
    ) -> ToolResult:
        """Run a tool: permission, arguments, approval, cache, a free slot, then the tool itself.

        `steps` keep what its parts gave, where the call may be made again. Raises ToolError with
        a sentence for the person, or StoreUnavailableError when it cannot be audited: nothing was
        changed then. Nothing else but cancellation, or TurnOverError by `steps`. What changes
        something raises NeedsApprovalError, unless it is `approved` as it is now.
        """
        shared = self._shared
        known = shared.registry.tool(name)
        # An answer may take minutes, in which the caller's rights may have gone.
        self._standing = await shared.rights.standing(self._caller.user_id, self._caller.room_id)
        async with shared.watch.over(self._caller, name, raw_args, known) as observation:
            found = self._find(name)
            if found is not None and not self._may(found).hidden:
                observation.tool = name
            made = _Made(raw_args, approved, steps or JustRun(), observation)
            try:
                return await self._make(self.tool(name), made)
            except ToolError as error:
                make_discreet(error, shared.conceal)
                if approved is not None and approved.resuming and not observation.has_started:
                    # What had been done before is not undone by this.
                    raise _in_doubt(ToolError, error.said) from error
                raise

    async def _make(self, tool: AnyTool, made: "_Made") -> ToolResult:
        observation = made.observation
        try:
            return await (self._change(tool, made) if tool.changes else self._answer(tool, made))
        except (ToolError, StoreUnavailableError, TurnOverError):
            raise
        except StepCutOffError as exc:
            logger.warning("step_cut_off", extra={"tool": tool.name, "step": exc.step})
            raise _in_doubt(ToolFailedError, exc.said) from exc
        except Exception as exc:
            observation.outcome = Outcome.CRASHED
            observation.reference = secrets.token_hex(4)
            said = self._crashed(tool, observation.reference)
            if observation.has_started:
                raise _in_doubt(ToolFailedError, said) from exc
            raise ToolFailedError(said) from exc

    async def _answer(self, tool: AnyTool, made: "_Made") -> ToolResult:
        args = made.observation.checked = checked_arguments(tool, made.raw_args)
        cache = self._shared.cache
        key = cache_key(tool, args, self._caller)
        kept = cache.get(key)
        if kept is not None:
            made.observation.outcome = Outcome.CACHED
            return kept
        home = self._shared.registry.namespace_of(tool.name).name
        changes = cache.changes(home)
        result = await self._result(tool, args, made)
        cache.put(key, tool, result, namespace=home, changes=changes)
        return result

    async def _change(self, tool: AnyTool, made: "_Made") -> ToolResult:
        observation, approved = made.observation, made.approved
        if approved is not None:
            observation.runs_by(approved)
        args = observation.checked = checked_arguments(tool, made.raw_args)
        if approved is None or not approved.resuming:
            # Half done, a change may look like another one: then its first run was held to that.
            await self._hold_to_plan(tool, args, made)
        try:
            return await self._result(tool, args, made)
        except ToolTimeoutError as exc:
            if not observation.has_started:
                raise
            raise _in_doubt(ToolTimeoutError, exc.said) from exc

    async def _hold_to_plan(self, tool: AnyTool, args: ToolArgs, made: "_Made") -> None:
        """Raise NeedsApprovalError, unless people have let through exactly this."""
        plan = await self._in_time(tool, self._plan(tool, args))
        bound = bound_to(tool.name, args, plan)
        if made.approved is None:
            raise NeedsApprovalError(
                tool=tool.name,
                title=tool.title,
                arguments=made.raw_args,
                shown=self._shown(args),
                plan=plan,
                args_hash=bound,
                rule=self._shared.rule_for(tool),
            )
        if made.approved.args_hash != bound:
            # The configuration or its target is another by now: not what people have seen.
            raise ToolFailedError(Text("plan_has_changed", tool=tool.name))

    def _shown(self, args: ToolArgs) -> Mapping[str, JSON]:
        values = args.model_dump(mode="json", exclude_none=True)
        # What is empty and was not said by anybody would only puzzle who reads the card.
        told = {
            name: value
            for name, value in values.items()
            if name in args.model_fields_set or value not in ("", [], {})
        }
        return wholly_shown_arguments(type(args), told, self._shared.mask)

    async def _plan(self, tool: AnyTool, args: ToolArgs) -> Plan:
        if tool.plan is None:
            return Plan(target=None, steps=())
        with contained():
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

    def _context(
        self, tool: AnyTool, hear: OnProgress = unheard, made: "_Made | None" = None
    ) -> AttachingContext:
        namespace = self._shared.registry.namespace_of(tool.name)
        approved = made.approved if made else None
        return self._shared.contexts.for_call(
            self._caller,
            tool,
            namespace,
            self._summaries,
            hear,
            made.steps if made else JustRun(),
            approved.by if approved else (),
        )

    async def _result(self, tool: AnyTool, args: ToolArgs, made: "_Made") -> ToolResult:
        # Before it is cut, or half a secret would remain.
        result = await self._run(tool, args, made)
        return bounded(discreet_result(result, self._shared.conceal))

    async def _run(self, tool: AnyTool, args: ToolArgs, made: "_Made") -> ToolResult:
        namespace = self._shared.registry.namespace_of(tool.name)
        deadline = asyncio.timeout(tool.timeout.total_seconds())
        had_slot = False
        try:
            async with deadline, self._shared.slots[namespace.name]:
                had_slot = True
                if tool.changes:
                    await made.observation.starting()
                with self._progress(tool) as hear, contained():
                    context = self._context(tool, hear, made)
                    found = result_of(tool.run, await tool.run(args, context))
                    return with_attached(found, context.attached)
        except TimeoutError as exc:
            # An inner timeout that the tool let through is the tool's mistake, not its deadline.
            if deadline.expired():
                raise _timed_out(tool, had_slot=had_slot) from exc
            raise
        finally:
            if had_slot and tool.changes:
                self._shared.cache.changed(namespace.name)

    def _crashed(self, tool: AnyTool, error_id: str) -> Text:
        logger.exception("tool_crashed", extra={"tool": tool.name, "error_id": error_id})
        return Text("tool_crashed", tool=tool.name, reference=error_id)

    def _in_reach(self) -> tuple[AnyTool, ...]:
        registry = self._shared.registry
        return registry.tools_of(self._namespace) if self._namespace else registry.tools

    def _find(self, name: str) -> AnyTool | None:
        registry = self._shared.registry
        tool = registry.tool(name)
        if tool is None or not self._namespace:
            return tool
        return tool if registry.namespace_of(name).name == self._namespace else None

    def _allowed(self, tool: AnyTool) -> bool:
        return self._may(tool).allowed

    def _may(self, tool: AnyTool) -> Decision:
        decision = self._shared.rights.access.may(self._caller, tool, self._standing)
        if tool.name == self._proposes and tool.changes and not decision.needs.is_off:
            return replace(decision, allowed=True, hidden=False)
        return decision

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


def _in_doubt(error: type[ErrorT], said: Said) -> ErrorT:
    """How a change has ended of which nobody knows how far it came."""
    made = error(Text("change_uncertain", said=said))
    made.in_doubt = True
    return made
