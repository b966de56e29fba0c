"""Reading from a Postgres that is not ours: every query alone in a read-only transaction."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import asyncpg

from lycatra_appservice.db.postgres import CONNECT_SECONDS, Pool
from lycatra_appservice.db.postgres_errors import DRIVER_ERRORS, is_away
from lycatra_appservice.db.reading import (
    DatabaseAwayError,
    FoundRows,
    QueryRefusedError,
    QueryTooSlowError,
    ReadingError,
    found_rows,
    refuse_writing,
)
from lycatra_appservice.db.statements import Statement

_CONNECTIONS = 3
_GRACE_SECONDS = 2  # for the way to the server and back


class PostgresReader:
    """A small pool that connects when it is needed.

    Nothing depends on the session, so a pooler such as PgBouncer may stand between.
    """

    def __init__(self, url: str, timeout: timedelta) -> None:
        self._url = url
        self._timeout = timeout
        self._pool: Pool | None = None

    async def read(
        self, statement: Statement, parameters: Mapping[str, object], max_rows: int
    ) -> FoundRows:
        """The first rows of one query."""
        refuse_writing(statement)
        in_order = [parameters[name] for name in statement.parameters]
        with _translated(statement.name):
            async with asyncio.timeout(self._timeout.total_seconds() + _GRACE_SECONDS):
                pool = await self._opened()
                async with pool.acquire() as connection:
                    return await self._read(connection, statement, in_order, max_rows)

    async def close(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            self._pool.terminate()

    async def _read(
        self,
        connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]",
        statement: Statement,
        in_order: list[object],
        max_rows: int,
    ) -> FoundRows:
        async with connection.transaction(readonly=True):
            limit = f"{round(self._timeout.total_seconds() * 1000)}ms"
            await connection.execute("SELECT set_config('statement_timeout', $1, true)", limit)
            cursor = await connection.cursor(statement.numbered, *in_order)
            rows = await cursor.fetch(max_rows + 1)
        return found_rows([dict(row.items()) for row in rows], max_rows)

    async def _opened(self) -> Pool:
        if self._pool is None:
            self._pool = asyncpg.create_pool(
                self._url,
                init_size=0,
                min_size=0,
                max_size=_CONNECTIONS,
                timeout=CONNECT_SECONDS,
                command_timeout=self._timeout.total_seconds() + _GRACE_SECONDS,
                statement_cache_size=0,  # a pooler gives the next query another session
                server_settings={"application_name": "lycatra-tools"},
            )
            await self._pool
        return self._pool


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except asyncpg.QueryCanceledError as exc:
        raise QueryTooSlowError(f"{doing}: {exc}") from exc
    except TimeoutError as exc:
        raise DatabaseAwayError(f"{doing}: no answer in time") from exc
    except DRIVER_ERRORS as exc:
        raise _of(exc, doing) from exc


def _of(exc: BaseException, doing: str) -> ReadingError:
    # A value that does not fit its parameter; the message would repeat it.
    if isinstance(exc, asyncpg.DataError | ValueError):
        return QueryRefusedError(f"{doing}: a value does not fit ({_why(exc)})")
    said = f"{doing}: {type(exc).__name__}: {exc}"
    if isinstance(exc, asyncpg.PostgresError) and not is_away(exc):
        return QueryRefusedError(said)
    return DatabaseAwayError(said)


def _why(exc: BaseException) -> str:
    if isinstance(exc, asyncpg.PostgresError) and exc.sqlstate:
        return exc.sqlstate
    return str(exc.__cause__ or type(exc).__name__)
