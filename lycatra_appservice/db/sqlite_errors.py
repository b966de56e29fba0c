"""What an error of SQLite means: away, busy, a value that cannot be stored, or a bug of ours."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lycatra_appservice.errors import StoreBusyError, StoreUnavailableError

_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_AWAY_CODES = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
_PRIMARY_CODE = 0xFF  # the higher bits of an error code tell details


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise our errors instead of the driver's; `doing` names the statement, for the log.

    StoreBusyError: locked by another process for too long. StoreUnavailableError: disk full,
    unreadable, not a database. ValueError: a value that cannot be stored. Any other error of
    the driver is a mistake of ours and passes unchanged.
    """
    try:
        yield
    except (sqlite3.DataError, OverflowError, UnicodeEncodeError) as exc:
        raise ValueError(f"{doing}: a value that SQLite cannot store") from exc
    except sqlite3.DatabaseError as exc:
        code = code_of(exc)
        if code in _BUSY_CODES:
            raise StoreBusyError(f"{doing}: {exc}") from exc
        if code in _AWAY_CODES:
            raise StoreUnavailableError(f"{doing}: {exc}") from exc
        raise


def code_of(exc: sqlite3.DatabaseError) -> int:
    """The primary code of an error."""
    # Absent on errors of the Python layer, such as a parameter that was not given.
    code: int = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & _PRIMARY_CODE


def refuse_nul(doing: str, parameters: Mapping[str, object]) -> None:
    """Raise ValueError for a text with NUL in it, which Postgres would refuse."""
    for name, value in parameters.items():
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"{doing}: the text {name!r} contains NUL")
