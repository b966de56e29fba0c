"""Words to a tool and its arguments: `!list updates 7`, `!list_updates limit=5`, `!updates list`.

Pure; it knows the tools' names and fields, never who may use them.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias

from lycatra_appservice.chat.arguments import UnclearError, read_arguments
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.arguments import shortened
from lycatra_appservice.toolkit.base import Tool

_WORD: Final = re.compile(r"[^\s_\-]+")
# What follows a prefix in a command; `/etc/hosts` is a path.
_COMMAND: Final = re.compile(r"[^\W\d_][\w-]*+(?![/\\])")
_PUNCTUATION: Final = "?!.,:;"
_MAX_WORDS: Final = 6  # no name of a tool has more
_SUGGESTIONS: Final = 3
_RESET: Final = "reset"

_Way: TypeAlias = tuple[str, ...]
_Ways: TypeAlias = Mapping[_Way, Tool[Any]]


@dataclass(frozen=True, slots=True)
class Command:
    """A tool and its arguments as written; the gate checks and converts them."""

    tool: str
    arguments: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class UnknownCommand:
    """Words that are no tool; `suggestions` are what may have been meant, without a prefix."""

    words: str
    suggestions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnclearArguments:
    """A known tool, but the rest cannot be read; `problem` is a sentence for the person."""

    problem: str
    example: str  # a right command, without a prefix


Parsed: TypeAlias = Command | UnknownCommand | UnclearArguments


class CommandWords:
    """All ways to call the tools; of one namespace only, where `namespace` is given."""

    def __init__(self, tools: Mapping[str, Sequence[Tool[Any]]], prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(sorted(prefixes, key=len, reverse=True))
        everything = [(tool, namespace) for namespace in tools for tool in tools[namespace]]
        self._ways = _ways_to(everything, _short_ways)
        self._own_ways = {
            namespace: _ways_to([(tool, namespace) for tool in members], _short_own_ways)
            for namespace, members in tools.items()
        }

    def begins_command(self, body: str) -> bool:
        """Whether a message starts with a prefix and a word, as a command does."""
        return self.without_prefix(body) is not None

    def without_prefix(self, body: str) -> str | None:
        """The words of a command; None when the message is none."""
        stripped = body.lstrip()
        for prefix in self._prefixes:
            rest = stripped.removeprefix(prefix)
            if rest != stripped and _COMMAND.match(rest):
                return rest
        return None

    def is_command(self, words: str, namespace: str | None = None) -> bool:
        """Whether words without a prefix are exactly the name of a tool, without arguments.

        With arguments a sentence such as "list updates of the web shop" would be a command.
        """
        found = self._find(words, namespace)
        return found is not None and not found[1]

    @staticmethod
    def is_reset(words: str) -> bool:
        """Whether words without a prefix ask to begin the conversation anew."""
        return words.strip().casefold() == _RESET

    def calls_a_tool(self, words: str, namespace: str | None = None) -> bool:
        """Whether words without a prefix begin with the name of a tool."""
        return self._find(words, namespace) is not None

    def parse(self, words: str, namespace: str | None = None) -> Parsed:
        """Read a command without its prefix."""
        found = self._find(words, namespace)
        if found is None:
            return UnknownCommand(shortened(words), self._near(words, namespace))
        tool, rest = found
        try:
            return Command(tool.name, read_arguments(rest, tool.schema()))
        except UnclearError as unclear:
            return UnclearArguments(str(unclear), tool.example)

    def _known(self, namespace: str | None) -> _Ways:
        return self._ways if namespace is None else self._own_ways.get(namespace, {})

    def _find(self, words: str, namespace: str | None) -> tuple[Tool[Any], str] | None:
        """The tool with the longest name that the words begin with, and what follows it."""
        known = self._known(namespace)
        spans = list(islice(_WORD.finditer(words), _MAX_WORDS))
        spelled = _spelled(words)
        for count in range(len(spans), 0, -1):
            end = spans[count - 1].end()
            tool = known.get(tuple(spelled[:count]))
            if tool is not None and not words[end : end + 1].strip():
                return tool, words[end:].strip()
        return None

    def _near(self, words: str, namespace: str | None) -> tuple[str, ...]:
        names = {" ".join(way): tool.name for way, tool in self._known(namespace).items()}
        spelled = _spelled(words)
        near = [
            names[match]
            for count in range(min(len(spelled), _SUGGESTIONS), 0, -1)
            for match in difflib.get_close_matches(" ".join(spelled[:count]), names)
        ]
        return tuple(name.replace("_", " ") for name in dict.fromkeys(near))[:_SUGGESTIONS]


def _spelled(words: str) -> list[str]:
    """The first words as names of tools are compared: without case and punctuation."""
    found = islice(_WORD.finditer(words), _MAX_WORDS)
    return [match.group().rstrip(_PUNCTUATION).lower() for match in found]


def _ways_to(
    tools: Iterable[tuple[Tool[Any], str]], short_ways: Callable[[Tool[Any], str], Iterator[_Way]]
) -> _Ways:
    """Every way to call each tool; a short one only where it means one tool alone."""
    claims: defaultdict[_Way, dict[str, Tool[Any]]] = defaultdict(dict)
    names: dict[_Way, Tool[Any]] = {}
    for tool, namespace in tools:
        names[tuple(_spelled(tool.name))] = tool
        for way in short_ways(tool, namespace):
            claims[way][tool.name] = tool
    clear = {way: next(iter(by.values())) for way, by in claims.items() if len(by) == 1}
    return {**clear, **names}


def _short_ways(tool: Tool[Any], namespace: str) -> Iterator[_Way]:
    yield (*_spelled(namespace), *_spelled(tool.name)[:1])
    for other in tool.also_called:
        yield tuple(_spelled(other))


def _short_own_ways(tool: Tool[Any], namespace: str) -> Iterator[_Way]:
    """What is said to the namespace's own user: there the verb alone is enough."""
    yield from _short_ways(tool, namespace)
    yield tuple(_spelled(tool.name)[:1])
