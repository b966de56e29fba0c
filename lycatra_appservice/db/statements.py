"""Named SQL statements: `-- name: claim` above each, `:name` parameters inside.

`turns.sql` holds what both engines understand; `turns.postgres.sql` and `turns.sqlite.sql`
hold the statements that exist only in a form of their own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

_HEADER = re.compile(r"^--\s*name:\s*(\w+)\s*$", re.MULTILINE)
# Quoted text, quoted identifiers, comments and casts are skipped; what is left is a parameter.
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|::\w+|:([a-z_][a-z0-9_]*)")


class Dialect(StrEnum):
    """The engine a statement is for."""

    POSTGRES = "postgres"
    SQLITE = "sqlite"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, as written and as asyncpg wants it (`$n`, with the order of its names)."""

    name: str
    text: str
    numbered: str
    parameters: tuple[str, ...]


def parse_statement(name: str, text: str) -> Statement:
    """Make a statement of its text; a name used twice gets one number."""
    order: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        parameter = match.group(1)
        if parameter is None:
            return match.group(0)
        return f"${order.setdefault(parameter, len(order) + 1)}"

    numbered = _TOKEN.sub(number, text)
    return Statement(name, text, numbered, tuple(order))


class Statements:
    """The statements of one store, by name."""

    def __init__(self, statements: Mapping[str, Statement]) -> None:
        self._statements = statements

    @classmethod
    def load(cls, package: str, stem: str, dialect: Dialect) -> "Statements":
        """Read `<stem>.sql` and, where it exists, `<stem>.<dialect>.sql` of a package."""
        return cls(_read_all(package, stem, dialect))

    def __getitem__(self, name: str) -> Statement:
        return self._statements[name]


@cache  # the files are part of the package, and some stores live for one turn only
def _read_all(package: str, stem: str, dialect: Dialect) -> Mapping[str, Statement]:
    folder = resources.files(package)
    statements: dict[str, Statement] = {}
    for file in (folder / f"{stem}.sql", folder / f"{stem}.{dialect}.sql"):
        if file.is_file():
            _read(file, statements)
    return statements


def _read(file: Traversable, into: dict[str, Statement]) -> None:
    pieces = _HEADER.split(file.read_text(encoding="utf-8"))
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if name in into:
            raise ValueError(f"statement {name!r} is written twice, the second time in {file}")
        into[name] = parse_statement(name, text.strip().rstrip(";"))
