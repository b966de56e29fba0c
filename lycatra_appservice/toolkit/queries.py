"""What a tool has of a database that the operator lets it read."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, LiteralString, Protocol, TypeAlias

from lycatra_appservice.db.reading import FoundRows


class ReadOnlyDatabase(Protocol):
    """One database of the configuration, for one call.

    A query is one fixed text that begins with SELECT, WITH, VALUES or TABLE. Values go into it
    as parameters only, `WHERE email = :email`, never by putting texts together. What is exact or
    a time comes back as text, so that rows are JSON as they are.

    Every method raises ToolFailedError, with a sentence for people, when there is no answer.
    """

    async def fetch(self, sql: LiteralString, /, **parameters: object) -> FoundRows:
        """The rows of a query, at most as many as the configuration allows."""

    async def fetch_one(
        self, sql: LiteralString, /, **parameters: object
    ) -> Mapping[str, Any] | None:
        """The first row of a query; None when there is none."""


OpenDatabase: TypeAlias = Callable[[str], ReadOnlyDatabase]


class DatabaseSource(Protocol):
    """Knows the databases of the configuration."""

    def opener(self, log: logging.Logger) -> OpenDatabase:
        """What a call opens them with; why a query failed goes to its own log."""
