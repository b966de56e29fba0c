"""The database in one SQLite file, by aiosqlite; for one worker, with other commands beside it."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

import aiosqlite

from lycatra_appservice.db.connection import Row
from lycatra_appservice.db.sqlite_errors import refuse_nul, translated
from lycatra_appservice.db.sqlite_signals import SqliteSignals
from lycatra_appservice.db.statements import Dialect, Statement
from lycatra_appservice.db.transactions import OpenTransactions, Outcome, settle
from lycatra_appservice.errors import StoreBusyError, StoreUnavailableError

_BUSY_SECONDS = 5
_OPEN_PAUSE_SECONDS = 0.02
_PRAGMAS = (
    f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # NORMAL may lose the last commits when the power goes
    "PRAGMA foreign_keys=ON",
)


class SqliteConnection:
    """One transaction. After a failed statement every other one raises RuntimeError.

    A boolean column comes back as 0 or 1: stores convert it.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._outcome = Outcome()
        # Like Postgres, which drops repeated equal notifications of one transaction.
        self._notifications: dict[tuple[str, str], None] = {}

    @property
    def notifications(self) -> Sequence[tuple[str, str]]:
        """Channel and payload of each hint to give after the commit, in order."""
        return list(self._notifications)

    async def fetch(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        """Run a statement and return all its rows."""
        with self._translated(statement.name):
            refuse_nul(statement.name, parameters)
            rows = await self._connection.execute_fetchall(statement.text, parameters)
        return [dict(row) for row in rows]

    async def fetch_one(self, statement: Statement, **parameters: object) -> Row | None:
        """Return the first row, or None."""
        rows = await self.fetch(statement, **parameters)
        return rows[0] if rows else None

    async def execute(self, statement: Statement, **parameters: object) -> None:
        """Run a statement for its effect."""
        await self.fetch(statement, **parameters)

    async def execute_many(
        self, statement: Statement, rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Run a statement once per row, in order."""
        with self._translated(statement.name):
            for row in rows:
                refuse_nul(statement.name, row)
            await self._connection.executemany(statement.text, rows)

    async def notify(self, channel: str, payload: str = "") -> None:
        """Tell every listener, when and only if this transaction commits."""
        self._notifications[channel, payload] = None

    async def run_script(self, script: str) -> None:
        """Run several statements without parameters, for migrations."""
        for statement in split_script(script):
            with self._translated("script"):
                await self._connection.execute_fetchall(statement)

    async def begin(self) -> None:
        """Start the transaction, as the only writer of the file."""
        with self._translated("begin"):
            await self._connection.execute_fetchall("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        """End the transaction; raise RuntimeError if a statement of it had failed."""
        with self._translated("commit"):
            await self._connection.commit()

    async def roll_back(self) -> None:
        """Undo the transaction, if there is one.

        The thread of the connection does one thing after another, so this comes after a
        statement whose task was cancelled while it ran.
        """
        await self._connection.rollback()

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        with self._outcome.part(doing), translated(doing):
            yield


class SqliteDatabase:
    """One connection, used by one task at a time. Errors are those of `sqlite_errors`.

    `signals` gets the notifications after each commit. Statements know `lycatra_now()`: the
    clock in milliseconds.
    """

    def __init__(self, connection: aiosqlite.Connection, signals: SqliteSignals) -> None:
        self._connection = connection
        self._signals = signals
        self._lock = asyncio.Lock()
        self._open = OpenTransactions()
        self._closed = False

    @classmethod
    async def open(cls, path: Path, signals: SqliteSignals) -> Self:
        """Open the file, made for its owner only if new; its folder must exist.

        Raises StoreUnavailableError when the file cannot be opened or is not a database.
        """
        try:
            await asyncio.to_thread(path.touch, mode=0o600)
        except OSError as exc:
            raise StoreUnavailableError(f"cannot open {path}: {exc.strerror}") from exc
        with translated(f"open {path}"):
            connection = await aiosqlite.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            await _prepare(connection, f"open {path}")
        except BaseException:
            await settle(connection.close())
            raise
        return cls(connection, signals)

    @property
    def dialect(self) -> Dialect:
        """SQLite."""
        return Dialect.SQLITE

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteConnection]:
        """Begin as the only writer; commit at the end of the block, else roll back."""
        with self._open.enter():
            async with self._alone():
                block = SqliteConnection(self._connection)
                try:
                    await block.begin()
                    yield block
                    await settle(self._commit(block))
                except BaseException:
                    await settle(block.roll_back())
                    raise

    async def fetch(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        """Run one statement in a transaction of its own and return its rows."""
        self._open.refuse_nested()
        async with self._alone():
            return await SqliteConnection(self._connection).fetch(statement, **parameters)

    async def fetch_one(self, statement: Statement, **parameters: object) -> Row | None:
        """Return the first row of one statement, or None."""
        rows = await self.fetch(statement, **parameters)
        return rows[0] if rows else None

    async def execute(self, statement: Statement, **parameters: object) -> None:
        """Run one statement in a transaction of its own."""
        await self.fetch(statement, **parameters)

    def upgrade(self) -> AbstractAsyncContextManager[SqliteConnection]:
        """Begin a transaction that no other process's upgrade can overlap."""
        return self.transaction()

    async def close(self) -> None:
        """Close the file once the running transaction is over; the last one removes the WAL."""
        async with self._lock:
            if not self._closed:
                self._closed = True
                await settle(self._connection.close())

    async def _commit(self, block: SqliteConnection) -> None:
        await block.commit()
        for channel, payload in block.notifications:
            self._signals.deliver(channel, payload)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self._lock:
            if self._closed:
                raise StoreUnavailableError("the database is closed")
            yield


def split_script(script: str) -> Iterator[str]:
    """Cut a script into statements; a `;` in a text, comment or trigger does not end one."""
    *pieces, rest = script.split(";")
    statement = ""
    for piece in pieces:
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""
    if last := (statement + rest).strip():
        yield last


async def _prepare(connection: aiosqlite.Connection, doing: str) -> None:
    connection.row_factory = sqlite3.Row
    with translated(doing):
        await connection.create_function("lycatra_now", 0, _now)
    for pragma in _PRAGMAS:
        await _patiently(connection, pragma, doing)


async def _patiently(connection: aiosqlite.Connection, pragma: str, doing: str) -> None:
    """Run a pragma as often as it takes.

    Whatever busy_timeout says, SQLite does not wait while another process changes the journal
    mode: when that one makes the file, or is the last to close it.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _BUSY_SECONDS
    while True:
        try:
            with translated(doing):
                await connection.execute_fetchall(pragma)
        except StoreBusyError:
            if loop.time() >= give_up_at:
                raise
        else:
            return
        await asyncio.sleep(_OPEN_PAUSE_SECONDS)


def _now() -> int:
    return time.time_ns() // 1_000_000
