"""All that a tool imports: one file with one `TOOL`, in a folder whose `__init__` has `NAMESPACE`.

A tool never learns who may use it, which face asked, or where its answer is shown.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from lycatra_appservice.db.reading import FoundRows
from lycatra_appservice.errors import InvalidArgumentsError, StepCutOffError, ToolFailedError
from lycatra_appservice.model import JSON, Caller, Face, File, Level, UserID
from lycatra_appservice.settings_types import Span
from lycatra_appservice.targets import Target
from lycatra_appservice.toolkit.approvals import Plan, Rule
from lycatra_appservice.toolkit.extras import Extra
from lycatra_appservice.toolkit.guard.answer import HttpAnswer
from lycatra_appservice.toolkit.guard.certificates import Refusal, ShownCertificate
from lycatra_appservice.toolkit.guard.failures import (
    AnswerTooLargeError,
    OutboundError,
    OutboundRefusedError,
)
from lycatra_appservice.toolkit.guard.outbound import Outbound
from lycatra_appservice.toolkit.guard.session import GuardedSession
from lycatra_appservice.toolkit.library import Document, Library
from lycatra_appservice.toolkit.looks_secret import without_secrets
from lycatra_appservice.toolkit.memory import KeyValues, State, with_question
from lycatra_appservice.toolkit.news import (
    Accepted,
    Hook,
    HookRefusedError,
    HookRequest,
    News,
    Proposal,
    Watcher,
)
from lycatra_appservice.toolkit.prompts import PromptArgument, PromptTemplate
from lycatra_appservice.toolkit.queries import ReadOnlyDatabase
from lycatra_appservice.toolkit.schema import parameters_schema
from lycatra_appservice.words.text import Said

__all__ = [
    "JSON",
    "ONLY_BY_NAME",
    "TOLD_LATER",
    "Accepted",
    "AnswerTooLargeError",
    "Audience",
    "Caller",
    "Component",
    "Document",
    "Effect",
    "Extra",
    "Face",
    "Field",
    "File",
    "FoundRows",
    "GuardedSession",
    "Hook",
    "HookRefusedError",
    "HookRequest",
    "HttpAnswer",
    "InvalidArgumentsError",
    "KeyValues",
    "Level",
    "Library",
    "Namespace",
    "News",
    "NoSettings",
    "Outbound",
    "OutboundError",
    "OutboundRefusedError",
    "Plan",
    "PromptArgument",
    "PromptTemplate",
    "Proposal",
    "ReadOnlyDatabase",
    "Refusal",
    "Rule",
    "Scope",
    "ShownCertificate",
    "Span",
    "State",
    "StepCutOffError",
    "Target",
    "Tool",
    "ToolArgs",
    "ToolContext",
    "ToolFailedError",
    "ToolResource",
    "ToolResult",
    "ToolSettings",
    "ToolSummary",
    "UserID",
    "Watcher",
    "first_sentence",
    "with_question",
    "without_secrets",
]

# For an argument's Field(json_schema_extra=…): it costs no prompt anything, because the note of a
# result tells a model of it when it is needed ("ask with offset=10"). People may use it always.
TOLD_LATER: Final[dict[str, JSON]] = {"x-told-later": True}
# The same for an argument that a command takes as `forget=3` only: no word or number that
# somebody just writes is taken for it.
ONLY_BY_NAME: Final[dict[str, JSON]] = {"x-only-by-name": True}

_SENTENCE_END: Final = re.compile(r"[.:;](?=\s|$)")


class ToolArgs(BaseModel):
    """Base of a tool's arguments: frozen, nothing unknown, every field described and bounded."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class ToolSettings(BaseModel):
    """Base of a namespace's own section under `tools:` in the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def allowed_targets(self) -> Sequence[Target]:
        """The hosts and ports that this section names, for `ToolContext.http` to let through.

        Whatever the operator wrote here may be inside the private network. Never make one of
        what a person, a model or another host said.
        """
        return ()

    @property
    def needed_extras(self) -> Sequence[Extra]:
        """The extras that this section needs as it is written; a missing one is told at start."""
        return ()


class NoSettings(ToolSettings):
    """For a namespace that has nothing to configure."""


class Effect(StrEnum):
    """What running a tool does to the world."""

    READ = "read"
    CHANGE = "change"  # waits for a person's approval


class Scope(StrEnum):
    """Who may be given the same cached result."""

    SHARED = "shared"
    PERSON = "person"


class Audience(StrEnum):
    """Who may read what a tool found."""

    ROOM = "room"
    ASKER = "asker"  # in a room with others it goes into a direct chat with who asked


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool found: `data` for a program or a model, `markdown` for a person.

    `data` is JSON as json.dumps takes it, with units in its keys (`took_ms`). `markdown` is the
    same facts in full, without embellishment; the command face shows it as it is. `note` says
    what was left out ("12 older entries left out; ask with limit=50"). `files` are shown after
    the answer on every face: five at most, 4 MiB each and 8 MiB together; what is more is left
    out, and the note says so. A long `markdown` needs no file of its own: the chat makes one.
    """

    data: JSON
    markdown: str
    note: Said | None = None
    files: Sequence[File] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """How one part of the service itself is doing; `detail` is short and safe to show."""

    name: str
    ok: bool
    detail: str
    since: datetime | None = None  # since when it has been so, if known


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSummary:
    """A tool as `help` shows it to a person who may use it."""

    name: str
    namespace: str
    summary: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResource:
    """The result of a reading tool as something with an address (`services://status`).

    `uri` stands for the call without arguments. `template` is the same with one argument of the
    tool as its last part (`services://status/{service}`), for that call.
    """

    uri: str
    template: str | None = None


def first_sentence(summary: str) -> str:
    """What fits a line of help, without the full stop."""
    end = _SENTENCE_END.search(summary)
    return summary[: end.start()] if end else summary


SettingsT = TypeVar("SettingsT", bound=ToolSettings)


class ToolContext(Protocol):
    """What a running tool is given. Made anew for every call; owned by the gate."""

    @property
    def caller(self) -> Caller:
        """Who asked."""

    @property
    def zone(self) -> ZoneInfo:
        """The configured time zone, for showing and for reading days."""

    @property
    def http(self) -> Outbound:
        """For asking other hosts, guarded: the internet by https, and what is configured."""

    @property
    def state(self) -> State:
        """What this namespace remembers, here and everywhere: small JSON values by key."""

    @property
    def log(self) -> logging.Logger:
        """A logger of this tool's own."""

    @property
    def base_folder(self) -> Path:
        """The folder of the configuration; relative paths in settings start here."""

    @property
    def approved_by(self) -> Sequence[UserID]:
        """Who has let this call through; nobody, where none was needed."""

    def now(self) -> datetime:
        """The time, aware, UTC."""

    def settings(self, kind: type[SettingsT]) -> SettingsT:
        """The checked settings of this tool's namespace."""

    def database(self, name: str) -> ReadOnlyDatabase:
        """A database of the configuration, for reading.

        Raises ToolFailedError when none is called so there.
        """

    def progress(self, text: Said) -> None:
        """Say in a few words what is being done, to whoever waits for a slow tool.

        Costs nothing, and may be called as often as there is something new. Only what stands
        when a call has taken some seconds is shown, in one message that is edited now and then:
        never put into it what an answer needs.
        """

    def attach(self, file: File) -> None:
        """Have a file shown after the result, as if it stood last in its `files`.

        What a call has attached that then fails is not shown.
        """

    async def step(self, name: str, run: Callable[[], Awaitable[JSON]]) -> JSON:
        """Do a part of the work, whose result is JSON, and keep that with the question.

        When the call is made again after a crash, a part that was done is not done again: what
        it gave comes back. A tool that changes something is made again only if it `resumes`;
        then a part that had begun and not ended raises StepCutOffError. A name is used once in a
        call, and stays what it is from version to version; the result has up to 256 KiB.
        """

    async def timer(self, name: str, when: datetime, text: Said) -> None:
        """Have a text said at its time, where it was asked, to who asked, by this namespace.

        One of the same name in this room is replaced; `name` has up to 100 characters, `text`
        2,000, `when` is aware and at most a year ahead. It is said once, also after restarts, if
        the person is still there and may still use this tool; what comes late says so. Raises
        ToolFailedError with a sentence for people, and ValueError for a mistake of the tool.
        """

    async def cancel_timer(self, name: str) -> bool:
        """Take a timer of this room back; False when there is none, or when it is being said."""

    def visible_tools(self) -> Sequence[ToolSummary]:
        """The tools that the caller may use, in a stable order."""

    async def components(self) -> Sequence[Component]:
        """How the service itself is doing: version, homeserver, database, model."""


ArgsT = TypeVar("ArgsT", bound=ToolArgs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A folder of tools, and the virtual user `@<localpart>_<name>` who answers for them.

    `watchers` look for news by themselves, `hooks` are told some by other services. `library`
    gives the documents of its settings, whose relative paths start at the second argument. One
    that `is_remote` is another's MCP server: its tools come and go while the program runs.
    """

    name: str
    display_name: str
    summary: str
    settings: type[ToolSettings] = NoSettings
    watchers: Sequence[Watcher] = ()
    hooks: Sequence[Hook] = ()
    library: Callable[[Any, Path], Library] | None = None
    is_remote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Generic[ArgsT]):
    """One thing that can be done, declared once for people, models and MCP clients.

    `name` is `verb_noun`. `summary` is for a reader who cannot see the code: when to use it and
    what comes back (40 to 600 characters). `example` is a full command without its prefix.

    What changes something waits until people let it through: by `approval`, unless the
    configuration says otherwise. `plan` tells them what exactly will happen, and refuses at once
    what cannot be; it must change nothing. After a crash such a call is not made again, and people
    read that it may have happened; unless the tool `resumes`: then it is made again under the same
    approval, and all that it changes has to stand in a `ctx.step`, which tells it what was done.
    """

    name: str
    title: str
    summary: str
    args: type[ArgsT]
    run: Callable[[ArgsT, ToolContext], Awaitable[ToolResult]]
    example: str
    effect: Effect = Effect.READ
    level: Level = Level.VIEWER
    approval: Rule | None = None
    plan: Callable[[ArgsT, ToolContext], Awaitable[Plan]] | None = None
    resumes: bool = False
    timeout: timedelta = timedelta(seconds=30)
    # For what takes minutes: names the work that a call would do, such as `deploy shop`. Then all
    # of the call, its plan too, runs where it keeps nobody waiting, perhaps in another process;
    # of one name in a room one call at a time.
    background: Callable[[ArgsT], str] | None = None
    cache_for: timedelta = timedelta(0)
    scope: Scope = Scope.PERSON
    audience: Audience = Audience.ROOM
    # Words that lead a person to this tool beside its own name, for help and did-you-mean.
    also_called: Sequence[str] = field(default_factory=tuple)
    # Whether its namespace's settings give it anything to work with. Where they do not, the tool
    # is as if it were not there, and a namespace without tools has no virtual user.
    has_work: Callable[[Any], bool] | None = None
    # Where MCP clients read what it finds without calling it.
    resource: ToolResource | None = None

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.effect is Effect.CHANGE

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the arguments, as models and MCP clients get it."""
        return parameters_schema(self.args)
