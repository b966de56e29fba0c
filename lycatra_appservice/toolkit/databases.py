"""The databases of the configuration, as tools may read them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString, Protocol

from pydantic import SecretStr

from lycatra_appservice.db.open import sqlite_path
from lycatra_appservice.db.reading import (
    DatabaseAwayError,
    FoundRows,
    QueryTooSlowError,
    Reader,
    ReadingError,
)
from lycatra_appservice.db.reading_postgres import PostgresReader
from lycatra_appservice.db.reading_sqlite import SqliteReader
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.toolkit.queries import OpenDatabase
from lycatra_appservice.words.spans import in_seconds
from lycatra_appservice.words.text import Text


class DatabaseSection(Protocol):
    """One section under `databases` in the configuration."""

    @property
    def url(self) -> SecretStr:
        """Where it is, with a password perhaps."""

    @property
    def timeout(self) -> timedelta:
        """For one query."""

    @property
    def max_rows(self) -> int:
        """Of one query."""


class NamedDatabase:
    """A database that the operator lets tools read, made for one call."""

    def __init__(
        self, name: str, section: DatabaseSection, reader: Reader, log: logging.Logger
    ) -> None:
        self._name = name
        self._section = section
        self._reader = reader
        self._log = log

    async def fetch(self, sql: LiteralString, /, **parameters: object) -> FoundRows:
        """The rows of a query; `ReadOnlyDatabase` says the rules."""
        statement = parse_statement(f"query of {self._name}", sql)
        wrong = parameters.keys() ^ set(statement.parameters)
        if wrong:
            raise ValueError(f"parameters and query do not fit: {', '.join(sorted(wrong))}")
        try:
            return await self._reader.read(statement, parameters, self._section.max_rows)
        except ReadingError as exc:
            self._log.warning(
                "database_query_failed", extra={"database": self._name, "reason": str(exc)}
            )
            raise ToolFailedError(self._said(exc)) from exc

    async def fetch_one(
        self, sql: LiteralString, /, **parameters: object
    ) -> Mapping[str, Any] | None:
        """The first row of a query; None when there is none."""
        found = await self.fetch(sql, **parameters)
        return found.rows[0] if found.rows else None

    def _said(self, exc: ReadingError) -> Text:
        match exc:
            case DatabaseAwayError():
                return Text("database_away", name=self._name)
            case QueryTooSlowError():
                span = in_seconds(self._section.timeout)
                return Text("database_too_slow", name=self._name, span=span)
            case _:
                return Text("database_refused", name=self._name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    section: DatabaseSection
    reader: Reader


class Databases:
    """All of them; owned by who made it, who also closes it."""

    def __init__(self, sections: Mapping[str, DatabaseSection]) -> None:
        self._known = {
            name: _Known(section=section, reader=_reader(section))
            for name, section in sections.items()
        }

    def opener(self, log: logging.Logger) -> OpenDatabase:
        """What a call is given; failures go to its own log."""

        def open_(name: str) -> NamedDatabase:
            known = self._known.get(name)
            if known is None:
                raise ToolFailedError(Text("database_unknown", name=name))
            return NamedDatabase(name, known.section, known.reader, log)

        return open_

    async def close(self) -> None:
        """Close every connection."""
        for known in self._known.values():
            await known.reader.close()


def _reader(section: DatabaseSection) -> Reader:
    url = section.url.get_secret_value()
    file: Path | None = sqlite_path(url)
    if file is not None:
        return SqliteReader(file, section.timeout)
    return PostgresReader(url, section.timeout)
