"""All the ways in which words name a tool: `list updates`, `updates list`, `changelog`. Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias

from lycatra_appservice.toolkit.base import Tool
from lycatra_appservice.toolkit.reserved import RESERVED

WORD: Final = re.compile(r"[^\s_\-]+")
MAX_WORDS: Final = 6  # no name of a tool has more
_PUNCTUATION: Final = "?!.,:;"

Way: TypeAlias = tuple[str, ...]
Ways: TypeAlias = Mapping[Way, Tool[Any]]


def spelled(words: str) -> list[str]:
    """The first words as names of tools are compared: without case and punctuation."""
    found = islice(WORD.finditer(words), MAX_WORDS)
    return [match.group().rstrip(_PUNCTUATION).lower() for match in found]


def ways_to(
    tools: Iterable[tuple[Tool[Any], str]], short_ways: Callable[[Tool[Any], str], Iterator[Way]]
) -> Ways:
    """Every way to call each tool; a short one only where it means one tool alone.

    A reserved word alone is a way to none: it steers the conversation.
    """
    claims: defaultdict[Way, dict[str, Tool[Any]]] = defaultdict(dict)
    names: dict[Way, Tool[Any]] = {}
    for tool, namespace in tools:
        names[tuple(spelled(tool.name))] = tool
        for way in short_ways(tool, namespace):
            claims[way][tool.name] = tool
    clear = {way: next(iter(by.values())) for way, by in claims.items() if len(by) == 1}
    return {way: tool for way, tool in {**clear, **names}.items() if not _is_reserved(way)}


def short_ways(tool: Tool[Any], namespace: str) -> Iterator[Way]:
    """What may be said to anybody: namespace and verb, and what else the tool is called."""
    yield (*spelled(namespace), *spelled(tool.name)[:1])
    for other in tool.also_called:
        yield tuple(spelled(other))


def short_own_ways(tool: Tool[Any], namespace: str) -> Iterator[Way]:
    """What is said to the namespace's own user: there the verb alone is enough."""
    yield from short_ways(tool, namespace)
    yield tuple(spelled(tool.name)[:1])


def _is_reserved(way: Way) -> bool:
    return len(way) == 1 and way[0] in RESERVED
