"""Other people's databases, from which we only ever read."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, Protocol
from uuid import UUID

from lycatra_appservice.db.statements import Statement
from lycatra_appservice.errors import LycatraError

_MAX_BYTES: Final = 1024 * 1024  # of all values together; a tool's result has room for far less
_ONLY_READS: Final = re.compile(r"\s*(?:select|with|values|table)\b", re.IGNORECASE)


class ReadingError(LycatraError):
    """A query gave nothing; the message is for the log and may repeat the database's words."""


class DatabaseAwayError(ReadingError):
    """The database cannot be reached."""


class QueryTooSlowError(ReadingError):
    """The query was ended after its time."""


class QueryRefusedError(ReadingError):
    """The database does not understand the query, or does not allow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRows:
    """The rows that a query gave, to go through one by one, each with JSON values by column.

    `more`: there were more than these.
    """

    rows: Sequence[Mapping[str, Any]]
    more: bool

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Each row, as in `rows`."""
        return iter(self.rows)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.rows)


class Reader(Protocol):
    """One database, opened when it is asked for the first time."""

    async def read(
        self, statement: Statement, parameters: Mapping[str, object], max_rows: int
    ) -> FoundRows:
        """The first rows of one query. Raises ReadingError."""

    async def close(self) -> None:
        """Close every connection."""


def refuse_writing(statement: Statement) -> None:
    """Raise ValueError for what does not even look as if it only read.

    The database refuses writing by itself; this one refuses what is no query, such as a setting
    that would switch that off.
    """
    if not _ONLY_READS.match(statement.text):
        raise ValueError("a tool's query has to begin with SELECT, WITH, VALUES or TABLE")


def found_rows(rows: Iterable[Mapping[str, object]], max_rows: int) -> FoundRows:
    """As much as may be shown of what may be one row more."""
    kept: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        plain = {column: as_json(value) for column, value in row.items()}
        size += sum(len(str(value)) for value in plain.values())
        if len(kept) == max_rows or size > _MAX_BYTES:
            return FoundRows(rows=kept, more=True)
        kept.append(plain)
    return FoundRows(rows=kept, more=False)


def as_json(value: object) -> Any:
    """A database's value as JSON has it: exact numbers and times as text, bytes as their count."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case list() | tuple():
            return [as_json(each) for each in value]
        case Mapping():
            return {str(key): as_json(each) for key, each in value.items()}
        case _:
            return str(value)
