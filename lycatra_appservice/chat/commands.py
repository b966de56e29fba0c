"""Words to a tool and its arguments: `!list updates 7`, `!list_updates days=7`, `{"days": 7}`.

Pure; it knows the tools' names and fields, never who may use them.
"""

import difflib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import Tool

_WORD: Final = re.compile(r"[^\s_\-]+")
_KEYED: Final = re.compile(r"^([a-z][a-z0-9_]*)=(.*)$", re.DOTALL)
_MAX_WORDS: Final = 6  # no name of a tool has more


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

    tool: str
    problem: str


Parsed: TypeAlias = Command | UnknownCommand | UnclearArguments


class CommandWords:
    """All ways to call the tools; of one namespace only, where `namespace` is given."""

    def __init__(self, tools: Mapping[str, Sequence[Tool[Any]]], prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(sorted(prefixes, key=len, reverse=True))
        self._ways: dict[tuple[str, ...], Tool[Any]] = {}
        self._own_ways: dict[str, dict[tuple[str, ...], Tool[Any]]] = {}
        for namespace, members in tools.items():
            own = self._own_ways.setdefault(namespace, {})
            for tool in members:
                for way in _ways_to(tool, namespace):
                    self._ways.setdefault(way, tool)
                    own.setdefault(way, tool)
                # Said to the namespace's own user, the verb alone is enough if it is clear.
                own.setdefault(_words(tool.name)[:1], tool)

    def begins_command(self, body: str) -> bool:
        """Whether a message starts with a prefix and a word, as a command does."""
        return self.without_prefix(body) is not None

    def without_prefix(self, body: str) -> str | None:
        """The words of a command; None when the message is none."""
        stripped = body.lstrip()
        for prefix in self._prefixes:
            rest = stripped.removeprefix(prefix)
            if rest != stripped and rest[:1].isalpha():
                return rest
        return None

    def is_command(self, words: str, namespace: str | None = None) -> bool:
        """Whether words without a prefix are exactly the name of a tool, without arguments.

        With arguments a sentence such as "list updates of the web shop" would be a command.
        """
        return _words(words.lower()) in self._known(namespace)

    def parse(self, words: str, namespace: str | None = None) -> Parsed:
        """Read a command without its prefix."""
        known = self._known(namespace)
        spans = list(_WORD.finditer(words))[:_MAX_WORDS]
        lowered = [span.group().lower() for span in spans]
        for count in range(len(spans), 0, -1):
            tool = known.get(tuple(lowered[:count]))
            if tool is not None:
                return _with_arguments(tool, words[spans[count - 1].end() :].strip())
        return UnknownCommand(words.strip()[:100], self._near(lowered, known))

    def _known(self, namespace: str | None) -> Mapping[tuple[str, ...], Tool[Any]]:
        return self._ways if namespace is None else self._own_ways.get(namespace, {})

    @staticmethod
    def _near(
        lowered: Sequence[str], known: Mapping[tuple[str, ...], Tool[Any]]
    ) -> tuple[str, ...]:
        names = {" ".join(way): tool for way, tool in known.items()}
        near = [
            names[match].name
            for count in range(min(len(lowered), 3), 0, -1)
            for match in difflib.get_close_matches(" ".join(lowered[:count]), names, n=3)
        ]
        return tuple(name.replace("_", " ") for name in dict.fromkeys(near))[:3]


def _words(name: str) -> tuple[str, ...]:
    return tuple(match.group() for match in _WORD.finditer(name))


def _ways_to(tool: Tool[Any], namespace: str) -> Sequence[tuple[str, ...]]:
    words = _words(tool.name)
    verb = words[:1]
    return [words, (namespace, *verb), *(_words(other.lower()) for other in tool.also_called)]


def _with_arguments(tool: Tool[Any], rest: str) -> Parsed:
    if rest.startswith("{"):
        return _from_json(tool, rest)
    fields = list(tool.args.model_fields)
    try:
        parts = shlex.split(rest)
    except ValueError:
        parts = rest.split()  # an apostrophe in a word is no quotation mark
    keyed = {}
    positional: list[str] = []
    for part in parts:
        match = _KEYED.match(part)
        if match and (not positional or match.group(1) in fields):
            keyed[match.group(1)] = match.group(2)
        else:
            positional.append(part)
    free = [name for name in fields if name not in keyed]
    if positional and not free:
        return UnclearArguments(tool.name, f"I do not know what to do with {positional[0]!r}.")
    # What is left over belongs to the last field: a name or a search of several words.
    if len(positional) > len(free):
        positional[len(free) - 1 :] = [" ".join(positional[len(free) - 1 :])]
    return Command(tool.name, {**dict(zip(free, positional, strict=False)), **keyed})


def _from_json(tool: Tool[Any], rest: str) -> Parsed:
    try:
        arguments = json.loads(rest)
    except (ValueError, RecursionError):
        return UnclearArguments(tool.name, "These arguments look like JSON, but cannot be read.")
    if not isinstance(arguments, dict):
        return UnclearArguments(tool.name, "The arguments must be a JSON object.")
    return Command(tool.name, arguments)
