"""Tries a tool out by itself, without a service: for the tests that stand beside a tool."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from lycatra_appservice.model import JSON, Caller, Face, RoomID, UserID
from lycatra_appservice.settings import ToolDatabase
from lycatra_appservice.targets import read_target
from lycatra_appservice.toolkit.arguments import checked_arguments
from lycatra_appservice.toolkit.base import Component, Namespace, ToolResult
from lycatra_appservice.toolkit.context import Contexts
from lycatra_appservice.toolkit.databases import Databases
from lycatra_appservice.toolkit.memory import ShortMemory
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.own.search import look_into
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.toolkit.results import bounded, result_of, with_attached
from lycatra_appservice.toolkit.steps import StandInSteps
from lycatra_appservice.toolkit.timers import ShortTimers, Timer
from lycatra_appservice.words.text import Said

_NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_PERSON = UserID("@alice:example.org")
_ROOM = RoomID("!kitchen:example.org")


class Trial:
    """One tool, with a memory of its own that ends with the trial.

    The clock stands still, in UTC. A tool that changes something is run for real, as if it were
    approved: rights and approvals are the service's business, and tested there. So give it
    databases and places of the test's own.
    """

    def __init__(
        self,
        file: Path,
        *,
        settings: Mapping[str, JSON] | None = None,
        databases: Mapping[str, str] | None = None,
        allow: Sequence[str] = (),
        now: datetime = _NOW,
        kept: Mapping[str, JSON] | None = None,
        cut_off: Collection[str] = (),
    ) -> None:
        """Load a tool's file with its namespace, as the service would.

        `settings` are the namespace's section, `databases` have a URL each, `allow` are places
        such as `127.0.0.1:8080` that the tool may ask. `kept` are results of steps that an
        earlier run has done, `cut_off` names steps that it had only begun. Raises LookupError with
        the reason when the service would not take the tool, and ValidationError for wrong
        settings.
        """
        found = look_into(file.parent.parent)
        self._tool = _tool_of(found, file)
        self._namespace = found.registry.namespace_of(self._tool.name)
        self._settings = self._namespace.settings.model_validate(dict(settings or {}))
        self._databases = databases or {}
        self._allow = [read_target(each) for each in allow]
        self._folder = file.parent.parent
        self._now = now
        self._kept = kept or {}
        self._cut_off = cut_off
        self._memory = ShortMemory()
        self._timers = ShortTimers()
        self.progress: list[Said] = []  # all that the tool has said of itself, whatever is shown

    async def call(self, **arguments: JSON) -> ToolResult:
        """Run it as the gate does: arguments checked, in its time, its result bounded.

        Raises InvalidArgumentsError, TimeoutError, and what the tool raises, which should be
        nothing but ToolFailedError.
        """
        args = checked_arguments(self._tool, arguments)
        databases = Databases(
            {name: ToolDatabase(url=SecretStr(url)) for name, url in self._databases.items()}
        )
        context = self._contexts(databases, self._namespace).for_call(
            Caller(user_id=_PERSON, face=Face.COMMAND, room_id=_ROOM),
            self._tool,
            self._namespace,
            tuple,
            self.progress.append,
            StandInSteps(self._kept, self._cut_off),
        )
        try:
            async with asyncio.timeout(self._tool.timeout.total_seconds()):
                result = result_of(self._tool.run, await self._tool.run(args, context))
                return bounded(with_attached(result, context.attached))
        finally:
            await databases.close()

    @property
    def timers(self) -> Mapping[str, Timer]:
        """What the tool wants said later, by name; a trial says none of it."""
        return self._timers.waiting

    def _contexts(self, databases: Databases, namespace: Namespace) -> Contexts:
        return Contexts(
            zone=ZoneInfo("UTC"),
            allowed_targets=self._allow,
            base_folder=self._folder,
            settings={namespace.name: self._settings},
            components=_components,
            clock=lambda: self._now,
            memory=self._memory,
            databases=databases,
            timers=self._timers,
        )


async def _components() -> Sequence[Component]:
    return [Component(name="lycatra", ok=True, detail="a trial")]


def _tool_of(found: FoundTools, file: Path) -> AnyTool:
    tool = found.registry.tool(file.stem)
    if tool is not None and tool.name in found.origins:
        return tool
    raise LookupError("; ".join(map(str, found.problems)) or f"{file} is no tool")
