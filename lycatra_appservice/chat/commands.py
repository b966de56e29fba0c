"""Words to a tool and its arguments: `!list updates 7`, `!list_updates limit=5`, `!updates list`.

Pure; it knows the tools' names and fields, never who may use them.
"""

import difflib
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
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
from lycatra_appservice.toolkit.base import PromptArgument, PromptTemplate, Tool
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


@dataclass(frozen=True, slots=True)
class ReadyQuestion:
    """A ready-made question with its gaps filled: `words` are for the agent."""

    prompt: PromptTemplate
    words: str


@dataclass(frozen=True, slots=True)
class UnclearQuestion:
    """A ready-made question whose gaps cannot be filled; `problem` is for the person.

    `missing` is the argument that has to be given, if that is what is wrong.
    """

    prompt: PromptTemplate
    problem: Text
    missing: PromptArgument | None = None


Parsed: TypeAlias = Command | UnknownCommand | UnclearArguments | ReadyQuestion | UnclearQuestion
_NO_PROMPTS: Final[Mapping[str, Sequence[PromptTemplate]]] = MappingProxyType({})


class CommandWords:
    """All ways to call the tools; of one namespace only, where `namespace` is given."""

    def __init__(
        self,
        tools: Mapping[str, Sequence[Tool[Any]]],
        prefixes: Sequence[str],
        prompts: Mapping[str, Sequence[PromptTemplate]] = _NO_PROMPTS,
    ) -> None:
        """`prompts` are the ready-made questions; of none if no model could answer them."""
        self._prefixes = tuple(sorted(prefixes, key=len, reverse=True))
        self.edition = 0  # another number: what was made of this before is worth nothing
        self._know(tools, prompts)

    def exchange(self, tools: Mapping[str, Sequence[Tool[Any]]], hidden: Set[str]) -> None:
        """Know other tools from now on, but for the hidden ones."""
        self._know(_without(tools, hidden), self._prompts)
        self.edition += 1

    def _know(
        self,
        tools: Mapping[str, Sequence[Tool[Any]]],
        prompts: Mapping[str, Sequence[PromptTemplate]],
    ) -> None:
        self._tools = tools
        self._prompts = prompts
        members: dict[str, list[Tool[Any] | PromptTemplate]] = {
            namespace: [*tools[namespace], *prompts.get(namespace, ())] for namespace in tools
        }
        everything = [(each, namespace) for namespace in members for each in members[namespace]]
        self._ways = ways_to(everything, short_ways)
        self._own_ways = {
            namespace: ways_to([(each, namespace) for each in mine], short_own_ways)
            for namespace, mine in members.items()
        }

    def without(self, hidden: Set[str]) -> "CommandWords":
        """The same for somebody to whom these tools are unknown, also as a near miss.

        A namespace without any tool left has no questions either.
        """
        left = _without(self._tools, hidden)
        asked = {name: prompts for name, prompts in self._prompts.items() if left.get(name)}
        return CommandWords(left, self._prefixes, asked)

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

    def calls_a_question(self, words: str, namespace: str | None = None) -> bool:
        """Whether words without a prefix begin with the name of a ready-made question."""
        found = self._find(words, namespace)
        return found is not None and isinstance(found[0], PromptTemplate)

    def parse(self, words: str, namespace: str | None = None) -> Parsed:
        """Read a command without its prefix."""
        found = self._find(words, namespace)
        if found is None:
            return UnknownCommand(shortened(words), self._near(words, namespace))
        tool, rest = found
        if isinstance(tool, PromptTemplate):
            return _question(tool, rest)
        try:
            return Command(tool.name, read_arguments(rest, tool.schema()))
        except UnclearError as unclear:
            return UnclearArguments(tool.name, unclear.said, tool.example)

    def _known(self, namespace: str | None) -> Ways[Tool[Any] | PromptTemplate]:
        return self._ways if namespace is None else self._own_ways.get(namespace, {})

    def _find(
        self, words: str, namespace: str | None
    ) -> tuple[Tool[Any] | PromptTemplate, str] | None:
        """What has the longest name that the words begin with, and what follows it."""
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


def _without(
    tools: Mapping[str, Sequence[Tool[Any]]], hidden: Set[str]
) -> Mapping[str, Sequence[Tool[Any]]]:
    return {
        namespace: [tool for tool in members if tool.name not in hidden]
        for namespace, members in tools.items()
    }


def _question(prompt: PromptTemplate, rest: str) -> ReadyQuestion | UnclearQuestion:
    """Fill its gaps with what was written behind its name; values are texts, and not long."""
    try:
        written = read_arguments(rest, prompt.schema())
    except UnclearError as unclear:
        return UnclearQuestion(prompt, unclear.said)
    arguments = {each.name: each for each in prompt.arguments}
    values = {name: str(value) for name, value in _mapping(written).items() if value is not None}
    for name, value in values.items():
        argument = arguments.get(name)
        if argument is None:
            return UnclearQuestion(prompt, Text("unplaced_word", word=shortened(name)))
        if len(value) > argument.max_chars:
            problem = Text("question_too_long", name=name, most=argument.max_chars)
            return UnclearQuestion(prompt, problem)
    for argument in prompt.arguments:
        if argument.required and not values.get(argument.name, "").strip():
            problem = Text("question_needs", name=argument.name)
            return UnclearQuestion(prompt, problem, argument)
    return ReadyQuestion(prompt, prompt.filled(values))


def _mapping(written: object) -> Mapping[str, JSON]:
    return written if isinstance(written, dict) else {}
