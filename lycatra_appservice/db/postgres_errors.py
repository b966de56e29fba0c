"""What an error of asyncpg means: away, busy, a value that cannot be stored, or a bug of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import asyncpg

from lycatra_appservice.errors import StoreBusyError, StoreUnavailableError

# TimeoutError is an OSError, and so are the refused connection and the unknown host name.
DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)

# SQLSTATE classes: connection, authorization, no such database, no resources (disk, memory,
# connections), operator intervention (restart, timeouts), system error.
_AWAY_CLASSES = frozenset({"08", "28", "3D", "53", "57", "58"})
# A read-only standby after a failover, transactions ended because they took too long, and a
# role that lacks a right: whoever runs the server can change that, without a restart of ours.
_AWAY_STATES = frozenset({"25006", "25P03", "25P04", "42501"})
# Serialization, deadlock, lock timeout: the same again may well work.
_BUSY_STATES = frozenset({"40001", "40P01", "55P03"})
_VALUE_CLASS = "22"


class Closable(Protocol):
    """A connection or a pool, asked whether it was lost."""

    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""


def is_lost(connection: Closable) -> bool:
    """Whether the connection is gone, be it that the pool took it out of our hands already."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


def is_away(exc: asyncpg.PostgresError) -> bool:
    """Whether the server itself is the trouble, and not what it was asked."""
    return (exc.sqlstate or "")[:2] in _AWAY_CLASSES


@contextmanager
def translated(doing: str, connection: Closable | None = None) -> Iterator[None]:
    """Raise our errors instead of the driver's; `doing` names the statement, for the log.

    StoreBusyError: try again. StoreUnavailableError: the database is away, full or restarting.
    ValueError: a value that Postgres cannot store, such as a text with NUL in it; what the value
    was stays out of the message. Any other error of the driver is a mistake of ours and passes
    unchanged.
    """
    try:
        yield
    except asyncpg.DataError as exc:
        raise ValueError(f"{doing}: a value that Postgres cannot store") from exc
    except asyncpg.PostgresError as exc:
        error = _of_the_server(exc, doing)
        if error is None:
            raise
        raise error from exc
    except asyncpg.InterfaceError as exc:
        error = _of_the_driver(exc, doing, connection)
        if error is None:
            raise
        # The message for a bad value repeats the value; its cause tells the reason without it.
        raise error from (exc.__cause__ if isinstance(error, ValueError) else exc)
    except (OSError, asyncpg.InternalClientError) as exc:
        raise StoreUnavailableError(f"{doing}: {type(exc).__name__}") from exc


def _of_the_driver(
    exc: asyncpg.InterfaceError, doing: str, connection: Closable | None
) -> Exception | None:
    if isinstance(exc, ValueError):
        return ValueError(f"{doing}: {exc.__cause__ or type(exc).__name__}")
    if connection is None or is_lost(connection):
        return StoreUnavailableError(f"{doing}: the connection to Postgres is closed")
    return None


def _of_the_server(exc: asyncpg.PostgresError, doing: str) -> Exception | None:
    state = exc.sqlstate or ""
    message = f"{doing}: {type(exc).__name__} ({state})"
    if state in _BUSY_STATES:
        return StoreBusyError(message)
    if state[:2] in _AWAY_CLASSES or state in _AWAY_STATES:
        return StoreUnavailableError(message)
    if isinstance(exc, asyncpg.InvalidCachedStatementError):
        # Another replica migrated under this connection; its next transaction sees the new table.
        return StoreUnavailableError(message)
    if state[:2] == _VALUE_CLASS:
        return ValueError(f"{doing}: a value that Postgres cannot store ({state})")
    return None
