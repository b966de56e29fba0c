"""A gate with what it needs: real contexts, a real HTTP session, a clock that stands still."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from aiohttp import ThreadedResolver
from pydantic import BaseModel

from lycatra_appservice.audit.entry import Entry
from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.model import Caller, Face, Level, RoomID, UserID
from lycatra_appservice.settings import Permission, ToolDatabase
from lycatra_appservice.targets import read_target
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.base import (
    Audience,
    Component,
    Effect,
    Field,
    Namespace,
    Rule,
    Scope,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.toolkit.context import Contexts
from lycatra_appservice.toolkit.databases import Databases
from lycatra_appservice.toolkit.guard.outbound import MakeResolver
from lycatra_appservice.toolkit.memory import Memory, ShortMemory
from lycatra_appservice.toolkit.permissions import Permissions
from lycatra_appservice.toolkit.redaction import Mask
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.toolkit.timers import ShortTimers
from lycatra_appservice.toolkit.toolbox import Gate, Toolbox

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
VIEWER = UserID("@viewer:example.org")
OPERATOR = UserID("@operator:example.org")
CANARY = "canary-of-the-bench"  # a secret of the configuration
STRANGER = UserID("@stranger:elsewhere.org")
TESTING = Namespace(name="testing", display_name="Testing", summary="Tools of the tests.")


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The `access` section."""

    admin: Sequence[str] = ()
    operator: Sequence[str] = (OPERATOR,)
    viewer: Sequence[str] = ("*:example.org",)
    none: Sequence[str] = ()


@dataclass
class Calls:
    """An observer that remembers."""

    heard: list[tuple[str, Face, str]] = field(default_factory=list)

    def called(self, tool: str, face: Face, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.heard.append((tool, face, outcome))

    @property
    def outcomes(self) -> list[str]:
        return [outcome for _, _, outcome in self.heard]


@dataclass
class Kept:
    """An audit that remembers; what `refuses` is set for it cannot keep."""

    entries: list[Entry] = field(default_factory=list)
    written: list[Entry] = field(default_factory=list)  # those kept at once
    refuses: bool = False

    def fingerprint(self, text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    async def note(self, entry: Entry) -> None:
        if self.refuses:
            raise StoreUnavailableError("too much waits")
        self.entries.append(entry)

    async def write(self, entry: Entry) -> None:
        await self.note(entry)
        self.written.append(entry)


@dataclass
class StillClock:
    """Seconds that only pass when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(frozen=True, kw_only=True)
class Bench:
    gate: Gate
    contexts: Contexts
    calls: Calls
    audit: Kept
    clock: StillClock

    def toolbox(
        self, user: UserID = VIEWER, *, room: str | None = None, namespace: str | None = None
    ) -> Toolbox:
        room_id = RoomID(room) if room else None
        caller = Caller(user_id=user, face=Face.COMMAND, room_id=room_id)
        return self.gate.open_for(caller, Standing(room_id=room_id), namespace=namespace)


class EchoArgs(ToolArgs):
    text: str = Field(default="", max_length=20, description="What to say.")
    times: int = Field(default=1, ge=1, le=5, description="How often.")


async def unreachable(args: ToolArgs, ctx: ToolContext) -> ToolResult:
    raise AssertionError("the gate must not let this call through")


async def echo(args: EchoArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(data={"said": args.text * args.times}, markdown=args.text)


def a_tool(
    *,
    name: str = "say_something",
    run: object = unreachable,
    args: type[ToolArgs] = EchoArgs,
    level: Level = Level.VIEWER,
    effect: Effect = Effect.READ,
    timeout: timedelta = timedelta(seconds=30),
    cache_for: timedelta = timedelta(0),
    scope: Scope = Scope.PERSON,
    audience: Audience = Audience.ROOM,
    summary: str = "Says a text again, as often as asked, for the tests of the gate.",
    also_called: Sequence[str] = (),
    title: str = "Say something",
    plan: object = None,
    approval: Rule | None = None,
    resumes: bool = False,
    background: object = None,
) -> Tool[ToolArgs]:
    """A tool for one test; `run` is its function, by default one that must not be reached."""
    assert callable(run)
    assert plan is None or callable(plan)
    assert background is None or callable(background)
    return Tool(
        name=name,
        title=title,
        plan=plan,
        approval=approval,
        resumes=resumes,
        background=background,
        summary=summary,
        args=args,
        run=run,
        example=name.replace("_", " "),
        level=level,
        effect=effect,
        timeout=timeout,
        cache_for=cache_for,
        scope=scope,
        audience=audience,
        also_called=also_called,
    )


async def all_well() -> Sequence[Component]:
    return [
        Component(name="lycatra", ok=True, detail="version 0.1.0"),
        Component(name="database", ok=True, detail="SQLite", since=NOW - timedelta(hours=1)),
    ]


@asynccontextmanager
async def bench(
    tools: Sequence[Tool[ToolArgs]] = (),
    *,
    registry: Registry | None = None,
    lists: Lists | None = None,
    rules: Sequence[Permission] = (),
    settings: Mapping[str, BaseModel] | None = None,
    folder: Path = Path(),
    zone: str = "UTC",
    slots: int = 8,
    allow: Sequence[str] = (),
    make_resolver: MakeResolver = ThreadedResolver,
    conceal: Mask = str,
    memory: Memory | None = None,
    databases: Mapping[str, ToolDatabase] | None = None,
    now: Callable[[], datetime] = lambda: NOW,
) -> AsyncIterator[Bench]:
    """Open a gate over `tools`, or over a whole registry with its own namespaces."""
    registry = registry or Registry([TESTING], {TESTING.name: tools})
    sections = {each.name: each.settings() for each in registry.namespaces}
    calls, audit, clock = Calls(), Kept(), StillClock()
    named = Databases(databases or {})
    contexts = Contexts(
        zone=ZoneInfo(zone),
        allowed_targets=[read_target(each) for each in allow],
        base_folder=folder,
        settings={**sections, **(settings or {})},
        components=all_well,
        clock=now,
        memory=memory or ShortMemory(),
        databases=named,
        timers=ShortTimers(),
        make_resolver=make_resolver,
    )
    gate = Gate(
        registry,
        Rights(Access(lists or Lists(), Permissions(rules, registry))),
        contexts,
        calls,
        audit,
        mask=lambda text: text.replace(CANARY, "***"),
        slots_per_namespace=slots,
        monotonic=clock,
        conceal=conceal,
    )
    try:
        yield Bench(gate=gate, contexts=contexts, calls=calls, audit=audit, clock=clock)
    finally:
        await named.close()
