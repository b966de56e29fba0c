"""The tools that the asker may use, by namespace, and how likely each is of use to a question."""

from collections.abc import Sequence
from dataclasses import dataclass

from lycatra_appservice.agent.backend import ToolSpec
from lycatra_appservice.agent.choice import Entry, by_words
from lycatra_appservice.agent.ports import ToolboxPort
from lycatra_appservice.agent.specs import Specs, chars_of_tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A namespace with those of its tools that the asker may use."""

    name: str
    summary: str
    tools: Sequence[ToolSpec]


class Shelves:
    """Frozen look-ups over what one toolbox offers; every order is by name."""

    def __init__(self, shelves: Sequence[Shelf]) -> None:
        self._shelves = {each.name: each for each in sorted(shelves, key=lambda each: each.name)}
        self._homes = {tool.name: each.name for each in shelves for tool in each.tools}
        specs = [tool for each in shelves for tool in each.tools]
        self.tools: Sequence[ToolSpec] = sorted(specs, key=lambda tool: tool.name)
        self._specs = {tool.name: tool for tool in self.tools}
        self.chars = chars_of_tools(self.tools)

    @classmethod
    def of(cls, toolbox: ToolboxPort, specs: Specs) -> "Shelves":
        """What a toolbox offers."""
        tools: dict[str, list[ToolSpec]] = {}
        summaries: dict[str, str] = {}
        for tool in toolbox.tools():
            namespace = toolbox.namespace_of(tool.name)
            summaries[namespace.name] = namespace.summary
            tools.setdefault(namespace.name, []).append(specs.of(tool))
        return cls(
            [Shelf(name=name, summary=summaries[name], tools=tools[name]) for name in tools]
        )

    @property
    def names(self) -> Sequence[str]:
        """Of the namespaces."""
        return tuple(self._shelves)

    @property
    def tool_names(self) -> Sequence[str]:
        """Of all tools."""
        return tuple(self._specs)

    def tool(self, name: str) -> ToolSpec | None:
        """A tool, unless the asker has none of that name."""
        return self._specs.get(name)

    def home_of(self, name: str) -> str:
        """The namespace of a tool; anything else is its own."""
        return self._homes.get(name, name)

    def tools_of(self, namespaces: Sequence[str]) -> Sequence[str]:
        """The names of the tools of these namespaces, as far as they are there."""
        shelves = [self._shelves[name] for name in namespaces if name in self._shelves]
        return [tool.name for shelf in shelves for tool in shelf.tools]

    def entries(self) -> Sequence[Entry]:
        """The namespaces as something to choose."""
        return [Entry(name=each.name, summary=each.summary) for each in self._shelves.values()]

    def likely(self, question: str) -> Sequence[str]:
        """The namespaces that share words with a question, in their names or those of tools."""
        worded = [
            Entry(name=each.name, summary=f"{each.summary} {' '.join(t.name for t in each.tools)}")
            for each in self._shelves.values()
        ]
        return by_words(question, worded)

    def smallest(self, room_chars: int) -> Sequence[str]:
        """As many namespaces as fit, those with little first; at least one."""
        sizes = {name: chars_of_tools(each.tools) for name, each in self._shelves.items()}
        chosen: list[str] = []
        for name in sorted(sizes, key=lambda name: (sizes[name], name)):
            room_chars -= sizes[name]
            if room_chars < 0 and chosen:
                break
            chosen.append(name)
        return chosen
