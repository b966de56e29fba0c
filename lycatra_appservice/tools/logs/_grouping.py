"""Puts lines together that were written at once, such as an error and its traceback."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from lycatra_appservice.tools.logs._entry import Entry

# A log in which so many lines in a row say no time has none to wait for.
_MOST_WAITING: Final = 200
_MOST_LINES: Final = 40  # of one entry
_GOES_ON: Final = re.compile(
    r"[\s)}\]]|Traceback \(|Caused by|During handling of|The above exception|\.\.\. \d+ more|"
    r"[\w.]+(?:Error|Exception|Interrupt|Exit)\b"
)


def goes_on(line: str) -> bool:
    """Whether a line looks as if it belonged to the one above it."""
    return _GOES_ON.match(line) is not None


def grouped(newest_first: Iterable[Entry]) -> Iterator[Entry]:
    """Lines as entries, newest first: one that says when it was written, with what goes on.

    A line of its own that says no time has that of the one above it.
    """
    waiting: list[Entry] = []  # newest first, too
    for line in newest_first:
        if line.when is not None:
            yield from _together(line, waiting)
            waiting = []
        elif line.text.strip():
            waiting.append(line)
            if len(waiting) > _MOST_WAITING:
                yield from waiting
                waiting = []
    yield from _together(None, waiting)


def _together(head: Entry | None, newest_first: Sequence[Entry]) -> Iterator[Entry]:
    groups: list[list[Entry]] = [[head]] if head else []
    for line in reversed(newest_first):
        if groups and goes_on(line.text):
            groups[-1].append(line)
        else:
            groups.append([replace(line, when=head.when if head else None)])
    for group in reversed(groups):
        yield _as_one(group)


def _as_one(group: Sequence[Entry]) -> Entry:
    first = group[0]
    if len(group) == 1:
        return first
    severities = [each.severity for each in group if each.severity is not None]
    said = first.severity or max(severities, default=None)
    return replace(first, text="\n".join(_shortened(group)), severity=said)


def _shortened(group: Sequence[Entry]) -> Sequence[str]:
    """Its beginning and its end, which say most of a traceback."""
    lines = [each.text for each in group]
    if len(lines) <= _MOST_LINES:
        return lines
    half = _MOST_LINES // 2
    return [*lines[:half], f"… {len(lines) - 2 * half} lines …", *lines[-half:]]
