"""What a store may ask of a database, whichever it is."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias

from lycatra_appservice.db.statements import Dialect, Statement

Row: TypeAlias = Mapping[str, Any]
Listener: TypeAlias = Callable[[str], None]


class Connection(Protocol):
    """Statements inside one transaction; valid only within its `async with`."""

    async def fetch(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        """Run a statement and return all its rows (of RETURNING, too)."""

    async def fetch_one(self, statement: Statement, **parameters: object) -> Row | None:
        """Return the first row, or None."""

    async def execute(self, statement: Statement, **parameters: object) -> None:
        """Run a statement for its effect."""

    async def execute_many(
        self, statement: Statement, rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Run a statement once per row, in order."""

    async def notify(self, channel: str, payload: str = "") -> None:
        """Tell every listener of the deployment, when and only if this transaction commits."""


class Database(Protocol):
    """A pool of connections. Every method raises StoreUnavailableError when it cannot be reached.

    Cancellation inside a transaction rolls it back and leaves the database usable.
    """

    @property
    def dialect(self) -> Dialect:
        """Which statements to load."""

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """Begin; commit at the end of the block, roll back on any exception.

        On SQLite this is BEGIN IMMEDIATE on the single writer. Never call a model, a tool or
        the homeserver inside, and never open a second one inside.
        """

    async def fetch(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        """Run one statement in a transaction of its own and return its rows."""

    async def fetch_one(self, statement: Statement, **parameters: object) -> Row | None:
        """Return the first row of one statement, or None."""

    async def execute(self, statement: Statement, **parameters: object) -> None:
        """Run one statement in a transaction of its own."""

    async def close(self) -> None:
        """Close every connection; later calls raise StoreUnavailableError."""


class Signals(Protocol):
    """Hints between the replicas of a deployment, and its one leadership.

    A hint may be lost; nothing may depend on it. Every listener is also called, with an empty
    payload, after each reconnect, because what came in between is unknown.
    """

    def listen(self, channel: str, listener: Listener) -> None:
        """Call `listener` with the payload of each notification on `channel`."""

    @property
    def connected(self) -> bool:
        """Whether hints arrive now. On SQLite always true."""

    async def try_lead(self) -> bool:
        """Become or stay the only leader of the deployment; False if another one leads.

        Leadership ends at once when the connection that holds it is lost.
        """

    async def run(self, ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Keep listening until cancelled, reconnecting after errors."""
