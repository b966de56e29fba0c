"""Tables for clients that draw none: how wide columns are, and a list with an item for a row."""

import unicodedata
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from markdown_it.token import Token

TableLook: TypeAlias = Literal["table", "list"]

WIDEST_LINE: Final = 80  # columns of a terminal; what is wider breaks in the middle of a row

_Cell: TypeAlias = Sequence[Token]
_BETWEEN: Final = " · "
_LONGEST_ITEM: Final = 120  # columns; it may break once, which still takes less room than lines


def columns_of(text: str) -> int:
    """How many columns of a terminal a line takes: two for a letter of full width, or an emoji."""
    if text.isascii():
        return len(text)
    return sum(_columns(each) for each in text)


def as_lists(tokens: Sequence[Token]) -> list[Token]:
    """The same tokens with every table as a list.

    A row is an item: its first value in bold, then `header: value` of what else it has. Short
    rows are a line each; when one of a table's rows is longer, every value has its own line.
    """
    made: list[Token] = []
    table: list[Token] = []
    for token in tokens:
        if token.type == "table_open" or table:
            table.append(token)
        else:
            made.append(token)
        if token.type == "table_close":
            made += _list(table)
            table = []
    return made


def _columns(character: str) -> int:
    if unicodedata.east_asian_width(character) in {"W", "F"}:
        return 2
    return 0 if unicodedata.category(character) in {"Mn", "Me", "Cf"} else 1


def _list(table: Sequence[Token]) -> list[Token]:
    level = table[0].level
    header, *rows = _rows(table)
    parts = [_parts(header, row) for row in rows] or [[cell for cell in header if _text(cell)]]
    items = [_joined(each, _text_token(_BETWEEN)) for each in parts if each]
    if any(columns_of(_text(item)) > _LONGEST_ITEM for item in items):
        items = [_joined(each, Token("hardbreak", "br", 0)) for each in parts if each]
    if not items:
        return []
    return [
        Token("bullet_list_open", "ul", 1, level=level, block=True, markup="-"),
        *(token for item in items for token in _item(item, level + 1)),
        Token("bullet_list_close", "ul", -1, level=level, block=True, markup="-"),
    ]


def _rows(table: Sequence[Token]) -> list[list[_Cell]]:
    rows: list[list[_Cell]] = []
    for token in table:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.children or [])
    return rows


def _parts(header: Sequence[_Cell], row: Sequence[_Cell]) -> list[_Cell]:
    """What a row says, cell by cell; nothing of an empty one. The first is in bold."""
    parts: list[_Cell] = []
    for place, (name, value) in enumerate(zip(header, row, strict=True)):
        if not _text(value):
            continue
        label = [*name, _text_token(": ")] if place and _text(name) else []
        parts.append([*label, *(value if parts else _bold(value))])
    return parts


def _joined(parts: Sequence[_Cell], between: Token) -> list[Token]:
    joined: list[Token] = []
    for part in parts:
        joined += [*([between] if joined else []), *part]
    return joined


def _item(children: list[Token], level: int) -> list[Token]:
    return [
        Token("list_item_open", "li", 1, level=level, block=True, markup="-"),
        Token("paragraph_open", "p", 1, level=level + 1, block=True, hidden=True),
        Token("inline", "", 0, level=level + 2, block=True, children=children),
        Token("paragraph_close", "p", -1, level=level + 1, block=True, hidden=True),
        Token("list_item_close", "li", -1, level=level, block=True, markup="-"),
    ]


def _bold(cell: _Cell) -> _Cell:
    if any(token.type == "strong_open" for token in cell):
        return cell
    return [Token("strong_open", "strong", 1), *cell, Token("strong_close", "strong", -1)]


def _text(cell: _Cell) -> str:
    return "".join(token.content for token in cell).strip()


def _text_token(content: str) -> Token:
    return Token("text", "", 0, content=content)
