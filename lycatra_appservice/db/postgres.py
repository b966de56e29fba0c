"""The database on Postgres, by asyncpg: a pool that opens lazily and survives outages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Self, TypeAlias, TypeVar

import asyncpg

from lycatra_appservice.db.connection import Row
from lycatra_appservice.db.postgres_errors import DRIVER_ERRORS, translated
from lycatra_appservice.db.statements import Dialect, Statement
from lycatra_appservice.db.transactions import OpenTransactions, Outcome, settle
from lycatra_appservice.errors import StoreBusyError, StoreUnavailableError

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Pooled: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
T = TypeVar("T")

CONNECT_SECONDS = 5
_CALL_SECONDS = 10
_CLOSE_SECONDS = 5
_ROLLBACK_SECONDS = 2  # then the connection is dropped, and the server rolls back by itself
_MIGRATION_SECONDS = 600  # also the longest wait for another replica's migration
_DEADLOCK_RETRIES = 2
_DEADLOCK_PAUSE_SECONDS = 0.05  # lets the other side take what it waited for

_POOL_SETTINGS = {
    "application_name": "lycatra-pool",
    "idle_in_transaction_session_timeout": "3000",  # a paused process must not keep its locks
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
_MIGRATION_SETTINGS = {
    **_POOL_SETTINGS,
    "application_name": "lycatra-migrate",
    "statement_timeout": f"{_MIGRATION_SECONDS}s",
    "lock_timeout": "0",
}
# Two-part keys: they cannot meet the one-part keys that stores make of hashes.
_ADVISORY_CLASS = 0x6C796361  # "lyca"
LEADER_LOCK = (_ADVISORY_CLASS, 1)
_MIGRATION_LOCK = (_ADVISORY_CLASS, 2)


class PostgresConnection:
    """One transaction. After a failed statement every other one raises RuntimeError."""

    def __init__(self, connection: "Pooled | asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection
        self._outcome = Outcome()

    async def fetch(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        """Run a statement and return all its rows."""
        with self._translated(statement.name):
            records = await self._connection.fetch(
                statement.numbered, *_in_order(statement, parameters)
            )
        return [dict(record.items()) for record in records]

    async def fetch_one(self, statement: Statement, **parameters: object) -> Row | None:
        """Return the first row, or None."""
        rows = await self.fetch(statement, **parameters)
        return rows[0] if rows else None

    async def execute(self, statement: Statement, **parameters: object) -> None:
        """Run a statement for its effect."""
        with self._translated(statement.name):
            await self._connection.execute(statement.numbered, *_in_order(statement, parameters))

    async def execute_many(
        self, statement: Statement, rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Run a statement once per row, in order."""
        with self._translated(statement.name):
            await self._connection.executemany(
                statement.numbered, [_in_order(statement, row) for row in rows]
            )

    async def notify(self, channel: str, payload: str = "") -> None:
        """Tell every listener, when and only if this transaction commits."""
        with self._translated("notify"):
            await self._connection.execute("SELECT pg_notify($1, $2)", channel, payload)

    async def run_script(self, script: str) -> None:
        """Run several statements without parameters, for migrations."""
        with self._translated("script"):
            await self._connection.execute(script)

    async def begin(self) -> None:
        """Start the transaction."""
        with self._translated("begin"):
            await self._connection.execute("BEGIN")

    async def commit(self) -> None:
        """End the transaction; raise RuntimeError if a statement of it had failed."""
        with self._translated("commit"):
            await self._connection.execute("COMMIT")

    async def roll_back(self) -> None:
        """Undo the transaction; a connection that cannot even do that is dropped."""
        try:
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                await self._connection.execute("ROLLBACK")
        except DRIVER_ERRORS:
            with suppress(asyncpg.InterfaceError):  # the pool has dropped it already
                self._connection.terminate()

    async def lock_migrations(self) -> None:
        """Wait until no other replica migrates; held until the transaction ends."""
        with self._translated("lock_migrations"):
            await self._connection.execute(
                "SELECT pg_advisory_xact_lock($1, $2)", *_MIGRATION_LOCK
            )

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        with self._outcome.part(doing), translated(doing, self._connection):
            yield


class PostgresDatabase:
    """A pool of at most `size` connections, made when needed: Postgres may be away at the start.

    Errors are those of `postgres_errors.translated`. One statement that runs into a deadlock is
    tried three times in all; a transaction is not repeated, only its caller knows what it did.
    """

    def __init__(self, dsn: str, pool: Pool) -> None:
        self._dsn = dsn
        self._pool = pool
        self._open = OpenTransactions()

    @classmethod
    async def open(cls, dsn: str, size: int = 8) -> Self:
        """Prepare a pool for the running event loop; nothing connects yet."""
        pool: Pool = asyncpg.create_pool(
            dsn,
            init_size=0,
            min_size=0,
            max_size=size,
            timeout=CONNECT_SECONDS,
            command_timeout=_CALL_SECONDS,
            server_settings=_POOL_SETTINGS,
            reset=_keep_session,
        )
        await pool
        return cls(dsn, pool)

    @property
    def dialect(self) -> Dialect:
        """Postgres."""
        return Dialect.POSTGRES

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresConnection]:
        """Begin; commit at the end of the block, roll back on any exception and cancellation.

        StoreUnavailableError from the end of the block leaves open whether it was committed.
        """
        with self._open.enter():
            async with self._borrowed() as connection, _transaction(connection) as block:
                yield block

    async def fetch(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        """Run one statement in a transaction of its own and return its rows."""

        async def attempt() -> Sequence[Row]:
            async with self._borrowed() as connection:
                return await PostgresConnection(connection).fetch(statement, **parameters)

        return await self._past_deadlocks(attempt)

    async def fetch_one(self, statement: Statement, **parameters: object) -> Row | None:
        """Return the first row of one statement, or None."""
        rows = await self.fetch(statement, **parameters)
        return rows[0] if rows else None

    async def execute(self, statement: Statement, **parameters: object) -> None:
        """Run one statement in a transaction of its own."""
        await self.fetch(statement, **parameters)

    def upgrade(self) -> AbstractAsyncContextManager[PostgresConnection]:
        """Begin a transaction that no other replica's upgrade can overlap, with long timeouts."""
        return _upgrade(self._dsn)

    async def close(self) -> None:
        """Close every connection, after five seconds also those still in use."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._pool.close()

    async def _past_deadlocks(self, attempt: Callable[[], Awaitable[T]]) -> T:
        self._open.refuse_nested()
        for _ in range(_DEADLOCK_RETRIES):
            try:
                return await attempt()
            except StoreBusyError as exc:
                if not isinstance(exc.__cause__, asyncpg.DeadlockDetectedError):
                    raise
            await asyncio.sleep(_DEADLOCK_PAUSE_SECONDS)
        return await attempt()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Pooled]:
        connection = await self._acquire()
        try:
            yield connection
        finally:
            with suppress(*DRIVER_ERRORS):  # the pool dropped it, and makes a new one
                await self._pool.release(connection)

    async def _acquire(self) -> Pooled:
        if self._pool.is_closing():
            raise StoreUnavailableError("the database is closed")
        with translated("acquire"):
            async with asyncio.timeout(_CALL_SECONDS):
                return await self._pool.acquire()


@asynccontextmanager
async def _transaction(
    connection: "Pooled | asyncpg.Connection[asyncpg.Record]",
) -> AsyncIterator[PostgresConnection]:
    block = PostgresConnection(connection)
    try:
        await block.begin()
        yield block
        await settle(block.commit())
    except BaseException:
        await settle(block.roll_back())
        raise


@asynccontextmanager
async def _upgrade(dsn: str) -> AsyncIterator[PostgresConnection]:
    with translated("connect"):
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=_MIGRATION_SECONDS,
            server_settings=_MIGRATION_SETTINGS,
        )
    try:
        async with _transaction(connection) as block:
            await block.lock_migrations()
            yield block
    finally:
        with suppress(*DRIVER_ERRORS):
            await connection.close(timeout=_CLOSE_SECONDS)


def _in_order(statement: Statement, parameters: Mapping[str, object]) -> list[object]:
    return [parameters[name] for name in statement.parameters]


async def _keep_session(_connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Skip asyncpg's reset: we change no session state, and it would cost a commit a time."""
