"""Cut Markdown that is too large for one event into parts that each read well alone."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from markdown_it.token import Token

from lycatra_appservice.matrix.markup import language_of, parse_blocks

_SENTINEL: Final = "\ue000"  # marks the place of a cut in a parse; no character of any script
_USUAL_GROWTH: Final = 3  # bytes of body and HTML for a character of ordinary Markdown
_MARGIN: Final = 0.95  # of the size wished for, since HTML does not grow evenly
_LONGEST_HEADER: Final = 2000  # characters of a table's head that are worth repeating
_MARGINS: Final = re.compile(r"\n*([ >]*)")
_FENCE: Final = re.compile(r"`{3,}|~{3,}")


def split(source: str, max_bytes: int, size_of: Callable[[str], int]) -> Iterator[str]:
    """Parts of cleaned Markdown, in order, whose `size_of` (encoded bytes) fits `max_bytes`.

    Cut between blocks where possible, else between lines, words, and at last anywhere. A code
    block that is cut begins again in the next part, a table with its head.
    """
    carry, rest = "", source
    guess = max_bytes // _USUAL_GROWTH
    while rest.strip():
        taken, size = _fitting(carry, rest, guess, max_bytes, size_of)
        guess = _aimed(taken, size, max_bytes)
        part = carry + rest[:taken]
        if part.strip():
            yield part
        rest = rest[taken:]
        carry = _carry(part, rest)
        if carry and _closes_at_once(carry, rest):
            carry, rest = "", rest.partition("\n")[2]


def closed(source: str) -> str:
    """The Markdown with an end for its last code block, if that has none; more may follow it."""
    for token in parse_blocks(f"{source}\n{_SENTINEL}"):
        if token.type == "fence" and token.content.rstrip().endswith(_SENTINEL):
            return f"{source}\n{token.markup}"
    return source


def _fitting(
    carry: str, rest: str, guess: int, max_bytes: int, size_of: Callable[[str], int]
) -> tuple[int, int]:
    """How many characters of `rest`, at least one, go into the next part, and its size then."""
    taken = len(rest) if len(rest) <= guess else _border(carry, rest, guess)
    while (size := size_of(carry + rest[:taken])) > max_bytes and taken > 1:
        taken = _border(carry, rest, _aimed(taken, size, max_bytes))
    return taken, size


def _aimed(taken: int, size: int, max_bytes: int) -> int:
    """How many characters should fit, if so many made this size."""
    return max(1, int(taken * max_bytes / size * _MARGIN))


def _border(carry: str, rest: str, at_most: int) -> int:
    """The best place to cut `rest`, not beyond `at_most` and not before half of it."""
    window = rest[:at_most]
    for place in (
        _last_block(carry + window) - len(carry),
        window.rfind("\n") + 1,
        window.rfind(" ") + 1,
    ):
        if place > at_most // 2:
            return place
    return at_most


def _last_block(text: str) -> int:
    """Where the last block of the outermost level begins."""
    starts = [token.map[0] for token in parse_blocks(text) if token.level == 0 and token.map]
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: starts[-1]]) if starts else 0


def _carry(part: str, rest: str) -> str:
    """What the next part has to begin with, so that `rest` still means the same."""
    # Indented like what follows, or it would end the list or quote that the code stands in.
    margin = _MARGINS.match(rest) if part.endswith("\n") else None
    marked = f"{part}{margin.group(1) if margin else ''}{_SENTINEL}"
    for token in reversed(parse_blocks(marked)):
        if token.map is None:
            continue
        if token.type == "fence" and token.content.rstrip().endswith(_SENTINEL):
            return _fence_again(part, token)
        if token.type == "table_open" and token.map[1] > _last_line(part):
            return _header_again(part, token, rest)
    return ""


def _last_line(part: str) -> int:
    return part.count("\n")


def _fence_again(part: str, token: Token) -> str:
    first = part.split("\n")[token.map[0] if token.map else 0]
    found = _FENCE.search(first)
    before = first[: found.start()] if found else ""
    # In a quote the marks must stay; in a list three columns are as far as a fence may stand.
    prefix = before if set(before) <= {">", " "} and ">" in before else " " * min(3, len(before))
    return f"{prefix}{token.markup}{language_of(token)}\n"


def _header_again(part: str, token: Token, rest: str) -> str:
    at_line_start = part.endswith("\n") and "|" in rest.partition("\n")[0]
    if not at_line_start or token.map is None:
        return ""
    header = "\n".join(part.split("\n")[token.map[0] : token.map[0] + 2])
    return f"{header}\n" if len(header) <= _LONGEST_HEADER else ""


def _closes_at_once(carry: str, rest: str) -> bool:
    fence = _FENCE.search(carry)
    first = rest.partition("\n")[0].strip(" >")
    return fence is not None and len(first) >= 3 and set(first) == set(fence.group())
