"""All the ways in which words name a tool: `list updates`, `updates list`, `changelog`. Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, Protocol, TypeAlias, TypeVar

from lycatra_appservice.toolkit.reserved import RESERVED

WORD: Final = re.compile(r"[^\s_\-]+")
MAX_WORDS: Final = 6  # no name of a tool has more
_PUNCTUATION: Final = "?!.,:;"


class Named(Protocol):
    """What can be called by words: a tool, or a ready-made question."""

    @property
    def name(self) -> str:
        """In small letters, its words parted by underscores."""

    @property
    def also_called(self) -> Sequence[str]:
        """Other words for it."""


NamedT = TypeVar("NamedT", bound=Named)
Way: TypeAlias = tuple[str, ...]
Ways: TypeAlias = Mapping[Way, NamedT]


def spelled(words: str) -> list[str]:
    """The first words as names of tools are compared: without case and punctuation."""
    found = islice(WORD.finditer(words), MAX_WORDS)
    return [match.group().rstrip(_PUNCTUATION).lower() for match in found]


def ways_to(
    tools: Iterable[tuple[NamedT, str]], short_ways: Callable[[Named, str], Iterator[Way]]
) -> Ways[NamedT]:
    """Every way to call each tool; a short one only where it means one tool alone.

    A reserved word alone is a way to none: it steers the conversation.
    """
    claims: defaultdict[Way, dict[str, NamedT]] = defaultdict(dict)
    names: dict[Way, NamedT] = {}
    for tool, namespace in tools:
        names[tuple(spelled(tool.name))] = tool
        for way in short_ways(tool, namespace):
            claims[way][tool.name] = tool
    clear = {way: next(iter(by.values())) for way, by in claims.items() if len(by) == 1}
    return {way: tool for way, tool in {**clear, **names}.items() if not _is_reserved(way)}


def short_ways(tool: Named, namespace: str) -> Iterator[Way]:
    """What may be said to anybody: namespace and verb, and what else the tool is called."""
    yield (*spelled(namespace), *spelled(tool.name)[:1])
    for other in tool.also_called:
        yield tuple(spelled(other))


def short_own_ways(tool: Named, namespace: str) -> Iterator[Way]:
    """What is said to the namespace's own user: there the verb alone is enough."""
    yield from short_ways(tool, namespace)
    yield tuple(spelled(tool.name)[:1])


def _is_reserved(way: Way) -> bool:
    return len(way) == 1 and way[0] in RESERVED
