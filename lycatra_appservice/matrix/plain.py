"""The plain body of a message: what Markdown says, readable where nothing is rendered."""

import re
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Final

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from lycatra_appservice.matrix.defuse import defuse, defuse_room, is_permalink
from lycatra_appservice.matrix.tables import WIDEST_LINE, as_lists, columns_of
from lycatra_appservice.model import UserID

_BAR: Final = " | "
_BACKTICKS: Final = re.compile("`+")


def to_text(tokens: Sequence[Token], allowed: Collection[UserID]) -> str:
    """Plain text of tokens from `markup.parse`; tables keep their columns, code its fences.

    A table that is wider than a terminal becomes a list.
    """
    return _Plain(allowed).blocks(SyntaxTreeNode(tokens).children)


class _Plain:
    def __init__(self, allowed: Collection[UserID]) -> None:
        self._allowed = allowed

    def blocks(self, nodes: Sequence[SyntaxTreeNode], between: str = "\n\n") -> str:
        return between.join(text for node in nodes if (text := self._block(node)))

    def _block(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "inline":
                return self._inline(node.token.children or [] if node.token else [])
            case "fence" | "code_block":
                return _code(node.content, node.info)
            case "bullet_list" | "ordered_list":
                return self._list(node)
            case "blockquote":
                return _prefixed(self.blocks(node.children), "> ", "> ")
            case "table":
                return self._table(node)
            case "hr":
                return "---"
            case _:
                return self.blocks(node.children)

    def _list(self, node: SyntaxTreeNode) -> str:
        first = node.attrs.get("start", 1) if node.type == "ordered_list" else None
        items = []
        for offset, item in enumerate(node.children):
            marker = "- " if first is None else f"{int(first) + offset}. "
            text = self.blocks(item.children, "\n" if _is_tight(item) else "\n\n")
            items.append(_prefixed(text, marker, " " * len(marker)))
        return "\n".join(items)

    def _table(self, node: SyntaxTreeNode) -> str:
        rows = [
            [self.blocks(cell.children).replace("\n", " ") for cell in row.children]
            for part in node.children
            for row in part.children
        ]
        widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + len(_BAR) * (len(widths) - 1) > WIDEST_LINE:
            return self.blocks(SyntaxTreeNode(as_lists(node.to_tokens())).children)
        lines = [_BAR.join(map(_padded, row, widths)).rstrip() for row in rows]
        return "\n".join([lines[0], "-+-".join("-" * width for width in widths), *lines[1:]])

    def _inline(self, children: Sequence[Token]) -> str:
        # Emphasis is gone here, and with it what kept two halves of a name apart: defuse again.
        return "".join(
            defuse_room(text) if is_code else defuse(text, self._allowed)
            for is_code, group in groupby(_pieces(children), key=lambda piece: piece[1])
            for text in ["".join(text for text, _ in group)]
        )


def _pieces(children: Sequence[Token]) -> list[tuple[str, bool]]:
    """The texts of a line in order, each with whether it is code."""
    pieces: list[tuple[str, bool]] = []
    target, since = "", 0
    for child in children:
        match child.type:
            case "text":
                pieces.append((child.content, False))
            case "code_inline":
                pieces.append((_quoted(child.content), True))
            case "softbreak" | "hardbreak":
                pieces.append(("\n", False))
            case "link_open":
                target, since = str(child.attrGet("href") or ""), len(pieces)
            case "link_close":
                shown = "".join(text for text, _ in pieces[since:])
                pieces.append((_where(target, shown), False))
            case _:
                pass  # emphasis: said by its words
    return pieces


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - columns_of(cell))


def _where(target: str, shown: str) -> str:
    said = {target, target.removeprefix("mailto:"), target.rstrip("/")}
    return "" if shown in said or is_permalink(target) else f" ({target})"


def _quoted(code: str) -> str:
    ticks = "`" * (_longest_ticks(code) + 1)
    padding = " " if "`" in code else ""
    return f"{ticks}{padding}{code}{padding}{ticks}"


def _code(content: str, language: str) -> str:
    fence = "`" * max(3, _longest_ticks(content) + 1)
    return f"{fence}{language}\n{content.rstrip(chr(10))}\n{fence}"


def _longest_ticks(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def _is_tight(item: SyntaxTreeNode) -> bool:
    return all(child.hidden for child in item.children if child.type == "paragraph")


def _prefixed(text: str, first: str, others: str) -> str:
    head, *tail = text.split("\n")
    return "\n".join([(first + head).rstrip(), *((others + line).rstrip() for line in tail)])
