"""What a running tool is given, made anew for every call."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

from aiohttp import ThreadedResolver
from pydantic import BaseModel

from lycatra_appservice.model import JSON, Caller, File, UserID
from lycatra_appservice.toolkit.base import (
    Component,
    Namespace,
    Outbound,
    ReadOnlyDatabase,
    SettingsT,
    State,
    Target,
    ToolSettings,
    ToolSummary,
)
from lycatra_appservice.toolkit.discretion import discreet
from lycatra_appservice.toolkit.guard.allowance import Allowance
from lycatra_appservice.toolkit.guard.outbound import MakeResolver
from lycatra_appservice.toolkit.memory import Memory, state_of
from lycatra_appservice.toolkit.progress import OnProgress, unheard
from lycatra_appservice.toolkit.queries import DatabaseSource, OpenDatabase
from lycatra_appservice.toolkit.redaction import Mask
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.toolkit.steps import CheckedSteps, JustRun, RunStep, Steps
from lycatra_appservice.toolkit.timers import (
    NoTimers,
    Timers,
    TimerSource,
    checked_timer,
    time_left,
)
from lycatra_appservice.words.text import Said

ComponentsOf: TypeAlias = Callable[[], Awaitable[Sequence[Component]]]

# The tools that the caller may use; few calls ask, and with many tools it takes a while to tell.
ListVisible: TypeAlias = Callable[[], Sequence[ToolSummary]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """One call's `ToolContext`."""

    caller: Caller
    zone: ZoneInfo
    http: Outbound
    log: logging.Logger
    base_folder: Path
    clock: Callable[[], datetime]
    namespace_settings: BaseModel
    state: State
    open_database: OpenDatabase
    on_progress: OnProgress
    steps: Steps
    timers: Timers
    conceal: Mask
    list_visible: ListVisible
    ask_components: ComponentsOf
    approved_by: Sequence[UserID] = ()
    attached: list[File] = field(default_factory=list)

    def now(self) -> datetime:
        """The time, aware, UTC."""
        return self.clock()

    def settings(self, kind: type[SettingsT]) -> SettingsT:
        """The namespace's settings; TypeError when a tool asks for those of another one."""
        if not isinstance(self.namespace_settings, kind):
            raise TypeError(f"this namespace is configured by {type(self.namespace_settings)!r}")
        return self.namespace_settings

    def database(self, name: str) -> ReadOnlyDatabase:
        """A database of the configuration. Raises ToolFailedError for an unknown one."""
        return self.open_database(name)

    def progress(self, text: Said) -> None:
        """Tell whoever waits."""
        self.on_progress(discreet(text, self.conceal))

    def attach(self, file: File) -> None:
        """Have it shown after the result."""
        self.attached.append(file)

    async def step(self, name: str, run: RunStep) -> JSON:
        """Do a part of the work once. Raises StepCutOffError into a change that goes on."""
        return await self.steps.step(name, run)

    async def timer(self, name: str, when: datetime, text: Said) -> None:
        """Have a text said later. Raises ToolFailedError, or ValueError."""
        timer = checked_timer(name, when, discreet(text, self.conceal))
        await self.timers.put(timer, time_left(timer, self.now()))

    async def cancel_timer(self, name: str) -> bool:
        """Take it back; whether there was one."""
        return await self.timers.drop(name)

    def visible_tools(self) -> Sequence[ToolSummary]:
        """The tools that the caller may use, sorted by name."""
        return self.list_visible()

    async def components(self) -> Sequence[Component]:
        """How the service itself is doing."""
        return await self.ask_components()


class Contexts:
    """Makes a context for each call out of what all calls share; owns none of it."""

    def __init__(
        self,
        *,
        zone: ZoneInfo,
        allowed_targets: Sequence[Target],
        base_folder: Path,
        settings: Mapping[str, BaseModel],
        components: ComponentsOf,
        clock: Callable[[], datetime],
        memory: Memory,
        databases: DatabaseSource,
        timers: TimerSource,
        make_resolver: MakeResolver = ThreadedResolver,
        conceal: Mask = str,
    ) -> None:
        """`settings` has the checked section of every namespace; `clock` gives aware UTC.

        `allowed_targets` are open to the tools of all namespaces, beside what the settings of
        each name for itself. `conceal` takes the secrets of the configuration out of what tools
        say on the way, and of what they want said later.
        """
        self._zone = zone
        self._allowed_targets = tuple(allowed_targets)
        self._make_resolver = make_resolver
        self._base_folder = base_folder
        self._settings = settings
        self._components = components
        self._clock = clock
        self._memory = memory
        self._databases = databases
        self._timers = timers
        self._conceal = conceal

    def for_call(
        self,
        caller: Caller,
        tool: AnyTool,
        namespace: Namespace,
        list_visible: ListVisible,
        on_progress: OnProgress,
        steps: Steps,
        approved_by: Sequence[UserID] = (),
    ) -> CallContext:
        """The context of one call; `list_visible` gives the tools that this caller may use."""
        settings = self._settings[namespace.name]
        log = logging.getLogger(f"lycatra_appservice.tools.{namespace.name}.{tool.name}")
        return CallContext(
            caller=caller,
            zone=self._zone,
            http=Outbound(self._allowance(settings), log=log, make_resolver=self._make_resolver),
            log=log,
            base_folder=self._base_folder,
            clock=self._clock,
            namespace_settings=settings,
            state=state_of(self._memory, namespace.name, caller),
            open_database=self._databases.opener(log),
            on_progress=on_progress,
            steps=CheckedSteps(steps),
            timers=self._timers.of(caller, tool, namespace.name),
            conceal=self._conceal,
            list_visible=list_visible,
            ask_components=self._components,
            approved_by=approved_by,
        )

    def for_work(self, caller: Caller, namespace: Namespace, name: str) -> CallContext:
        """The context of work that nobody asked for: a watcher's or a hook's."""
        settings = self._settings[namespace.name]
        log = logging.getLogger(f"lycatra_appservice.tools.{namespace.name}.{name}")
        return CallContext(
            caller=caller,
            zone=self._zone,
            http=Outbound(self._allowance(settings), log=log, make_resolver=self._make_resolver),
            log=log,
            base_folder=self._base_folder,
            clock=self._clock,
            namespace_settings=settings,
            state=state_of(self._memory, namespace.name, caller),
            open_database=self._databases.opener(log),
            on_progress=unheard,
            steps=CheckedSteps(JustRun()),
            timers=NoTimers(),
            conceal=self._conceal,
            list_visible=tuple,
            ask_components=self._components,
        )

    def _allowance(self, settings: BaseModel) -> Allowance:
        own = settings.allowed_targets if isinstance(settings, ToolSettings) else ()
        return Allowance([*self._allowed_targets, *own])
