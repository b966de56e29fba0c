"""Words to a tool and its arguments: `!list updates 7`, `!list_updates limit=5`, `!updates list`.

Pure; it knows the tools' names and fields, never who may use them.
"""

import difflib
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias

from lycatra_appservice.chat.arguments import UnclearError, read_arguments
from lycatra_appservice.chat.control import ControlWord, Steering, read_control
from lycatra_appservice.chat.small_talk import BLANKS
from lycatra_appservice.chat.ways import (
    MAX_WORDS,
    WORD,
    Ways,
    short_own_ways,
    short_ways,
    spelled,
    ways_to,
)
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.arguments import shortened
from lycatra_appservice.toolkit.base import Tool
from lycatra_appservice.words.text import Text

# What follows a prefix in a command; `/etc/hosts` is a path.
_COMMAND: Final = re.compile(r"[^\W\d_][\w-]*+(?![/\\])")
_READ_WORDS: Final = 3  # of what may be a misspelt name
_NEAR: Final = 9  # more than are told: some of them may be secret


@dataclass(frozen=True, slots=True)
class Command:
    """A tool and its arguments as written; the gate checks and converts them."""

    tool: str
    arguments: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class UnknownCommand:
    """Words that are no tool.

    `suggestions` are names of tools and control words that may have been meant, the likeliest
    first. Not everybody may see each of these tools.
    """

    words: str
    suggestions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnclearArguments:
    """A known tool, but the rest cannot be read; `problem` is a sentence for the person."""

    tool: str
    problem: Text
    example: str  # a right command, without a prefix


Parsed: TypeAlias = Command | UnknownCommand | UnclearArguments


class CommandWords:
    """All ways to call the tools; of one namespace only, where `namespace` is given."""

    def __init__(self, tools: Mapping[str, Sequence[Tool[Any]]], prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(sorted(prefixes, key=len, reverse=True))
        self._tools = tools
        everything = [(tool, namespace) for namespace in tools for tool in tools[namespace]]
        self._ways = ways_to(everything, short_ways)
        self._own_ways = {
            namespace: ways_to([(tool, namespace) for tool in members], short_own_ways)
            for namespace, members in tools.items()
        }

    def without(self, hidden: Set[str]) -> "CommandWords":
        """The same for somebody to whom these tools are unknown, also as a near miss."""
        left = {
            namespace: [tool for tool in members if tool.name not in hidden]
            for namespace, members in self._tools.items()
        }
        return CommandWords(left, self._prefixes)

    def begins_command(self, body: str) -> bool:
        """Whether a message starts with a prefix and a word, as a command does."""
        return self.without_prefix(body) is not None

    def without_prefix(self, body: str) -> str | None:
        """The words of a command; None when the message is none."""
        stripped = body.lstrip(BLANKS)
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

    def control(self, words: str) -> Steering | None:
        """The control word that words without a prefix begin with, unless they name a tool."""
        return None if self.calls_a_tool(words) else read_control(words)

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
            return UnclearArguments(tool.name, unclear.said, tool.example)

    def _known(self, namespace: str | None) -> Ways:
        return self._ways if namespace is None else self._own_ways.get(namespace, {})

    def _find(self, words: str, namespace: str | None) -> tuple[Tool[Any], str] | None:
        """The tool with the longest name that the words begin with, and what follows it."""
        known = self._known(namespace)
        spans = list(islice(WORD.finditer(words), MAX_WORDS))
        names = spelled(words)
        for count in range(len(spans), 0, -1):
            end = spans[count - 1].end()
            tool = known.get(tuple(names[:count]))
            if tool is not None and not words[end : end + 1].strip():
                return tool, words[end:].strip()
        return None

    def _near(self, words: str, namespace: str | None) -> tuple[str, ...]:
        ways = {**self._ways, **self._known(namespace)}
        names = {" ".join(way): tool.name for way, tool in ways.items()}
        names |= {word.value: word.value for word in ControlWord}
        written = spelled(words)
        start = tuple(written)
        begun = [tool.name for way, tool in ways.items() if start and way[: len(start)] == start]
        near = [
            names[match]
            for count in range(min(len(written), _READ_WORDS), 0, -1)
            for match in difflib.get_close_matches(" ".join(written[:count]), names, n=_NEAR)
        ]
        return tuple(dict.fromkeys([*begun, *near]))[:_NEAR]
