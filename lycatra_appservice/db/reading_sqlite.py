"""Reading from an SQLite file that is not ours: opened read-only, anew for each query."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final
from urllib.parse import quote

from lycatra_appservice.db.reading import (
    DatabaseAwayError,
    FoundRows,
    QueryRefusedError,
    QueryTooSlowError,
    found_rows,
    refuse_writing,
)
from lycatra_appservice.db.sqlite_errors import code_of
from lycatra_appservice.db.statements import Statement

_THREADS: Final = 3
_BUSY_SECONDS: Final = 2
_STEPS: Final = 10_000  # of SQLite's machine, about a millisecond, between two looks at the time
# Others mean that the query writes, or is none; reading needs neither rights nor room to write.
_AWAY_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
    }
)


class SqliteReader:
    """One file. Another one that takes its place is read from the next query on."""

    def __init__(self, file: Path, timeout: timedelta) -> None:
        self._uri = f"file:{quote(str(file.absolute()))}?mode=ro"
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sqlite-reader")

    async def read(
        self, statement: Statement, parameters: Mapping[str, object], max_rows: int
    ) -> FoundRows:
        """The first rows of one query."""
        refuse_writing(statement)
        nobody_waits = Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._read, statement, parameters, max_rows, nobody_waits
            )
        finally:
            nobody_waits.set()  # cancelled, the thread would go on

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _read(
        self,
        statement: Statement,
        parameters: Mapping[str, object],
        max_rows: int,
        nobody_waits: Event,
    ) -> FoundRows:
        ends_at = monotonic() + self._timeout.total_seconds()

        def is_over() -> bool:
            return nobody_waits.is_set() or monotonic() > ends_at

        with _translated(statement.name), closing(self._opened()) as connection:
            connection.row_factory = sqlite3.Row
            connection.set_progress_handler(is_over, _STEPS)
            connection.execute("PRAGMA query_only=ON")
            rows = connection.execute(statement.text, parameters).fetchmany(max_rows + 1)
            return found_rows([dict(row) for row in rows], max_rows)

    def _opened(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeEncodeError) as exc:
        said = f"{doing}: {type(exc).__name__}: {exc}"
        code = code_of(exc) if isinstance(exc, sqlite3.DatabaseError) else None
        if code == sqlite3.SQLITE_INTERRUPT:
            raise QueryTooSlowError(said) from exc
        if code in _AWAY_CODES:
            raise DatabaseAwayError(said) from exc
        raise QueryRefusedError(said) from exc
