"""A toolbox, a journal and a question for the agent's tests."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from lycatra_appservice.agent.messages import Message
from lycatra_appservice.agent.prompt import Question
from lycatra_appservice.errors import UnknownToolError
from lycatra_appservice.model import JSON, File, UserID

ASKER = UserID("@person:example.org")
Handler = Callable[[Mapping[str, JSON]], Awaitable[JSON]]


@dataclass(frozen=True)
class Finding:
    data: JSON
    note: str | None = None
    files: Sequence[File] = ()


@dataclass(frozen=True)
class Offered:
    name: str
    summary: str = "Lists what changed. Use it for questions about updates."
    changes: bool = False
    properties: Mapping[str, Any] = field(default_factory=lambda: {"limit": {"type": "integer"}})

    def schema(self) -> Mapping[str, Any]:
        return {"type": "object", "properties": self.properties}


@dataclass(frozen=True)
class Namespace:
    name: str
    summary: str = "What changed."


@dataclass
class Toolbox:
    """Tools as functions of their arguments; remembers every call."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    called: list[tuple[str, dict[str, JSON]]] = field(default_factory=list)
    changing: frozenset[str] = frozenset()

    def tools(self) -> Sequence[Offered]:
        return [Offered(name, changes=name in self.changing) for name in self.handlers]

    def namespace_of(self, tool_name: str) -> Namespace:
        return Namespace("updates")

    async def call(self, name: str, raw_args: Mapping[str, JSON], *, key: str) -> Finding:
        self.called.append((name, dict(raw_args)))
        if name not in self.handlers:
            raise UnknownToolError(f"I don't know a tool called `{name}`.")
        found = await self.handlers[name](raw_args)
        return found if isinstance(found, Finding) else Finding(found)


SUMMARIES = {
    "updates": "What was released, changed and deployed, and when.",
    "services": "Whether the services are up.",
    "forge": "Repositories, issues and pull requests of the code forge.",
}


@dataclass
class ManyTools(Toolbox):
    """A toolbox of several namespaces, one of which alone is more than a small window holds."""

    forge: int = 30

    def tools(self) -> Sequence[Offered]:
        small = [
            Offered("list_updates"),
            Offered("get_service_status", summary="Checks now whether services are up."),
        ]
        return [*small, *(self._large(number) for number in range(self.forge))]

    def namespace_of(self, tool_name: str) -> Namespace:
        names = {"list_updates": "updates", "get_service_status": "services"}
        name = names.get(tool_name, "forge")
        return Namespace(name, SUMMARIES[name])

    def _large(self, number: int) -> Offered:
        words = {"description": "One of the many things that can be said to this. " * 3}
        properties = {f"argument_{n}": {"type": "string", **words} for n in range(4)}
        return Offered(
            f"do_thing_{number}",
            summary=f"Does thing {number} to one of the repositories of the forge.",
            properties=properties,
        )


@dataclass
class Journal:
    """Steps by name; what is in it does not run again."""

    done: dict[str, JSON] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    async def step(
        self, name: str, run: Callable[[], Awaitable[JSON]], *, args: JSON = None
    ) -> JSON:
        if name not in self.done:
            self.ran.append(name)
            self.done[name] = await run()
        return self.done[name]


def question(text: str = "What changed?", history: Sequence[Message] = ()) -> Question:
    return Question(
        text=text,
        asker=ASKER,
        display_name="A Person",
        now=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        zone=ZoneInfo("Europe/Berlin"),
        room_name="Kitchen",
        history=history,
    )
