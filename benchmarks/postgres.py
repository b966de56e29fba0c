"""A throw-away Postgres that keeps what it confirms: fsync on, unlike the one of the tests."""

import asyncio
from collections.abc import Mapping
from statistics import median
from time import perf_counter
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import asyncpg

from benchmarks.measuring import require
from tests.support.postgres import OwnPostgresServer

_Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_SETTINGS: Final = ("server_version", "fsync", "synchronous_commit", "wal_sync_method")
_PROBES: Final = 100
_PATIENCE_SECONDS: Final = 20
# Segments of the log that are new cost a commit up to fifty times what used ones cost, so which
# ones a contender meets must not be a matter of when it runs.
_WRITTEN_SEGMENTS: Final = 6


class DurablePostgres(OwnPostgresServer):
    """Everything as delivered, but on its own port and folder; gone at the end."""

    def start_now(self) -> None:
        """Start with the settings that real servers have."""
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self._port}"
            f" -c unix_socket_directories={self._folder}"
        )
        log = self._folder / "server.log"
        self.run_program("pg_ctl", "start", "-w", "-l", str(log), "-o", options)

    async def wear_in(self) -> None:
        """Use up the new segments of the log, as a server that runs for an hour has."""
        connection = await asyncpg.connect(self.dsn)
        try:
            for _ in range(_WRITTEN_SEGMENTS):
                await connection.execute("SELECT pg_logical_emit_message(true, 'wear', 'in')")
                await connection.execute("SELECT pg_switch_wal()")
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    async def facts(self) -> Mapping[str, str]:
        """What to know about it; raises WrongWorkError if it only pretends to keep things."""
        connection = await asyncpg.connect(self.dsn)
        try:
            facts = {name: await connection.fetchval(f"SHOW {name}") for name in _SETTINGS}
        finally:
            await connection.close()
        lasting = facts["fsync"] == "on" and facts["synchronous_commit"] == "on"
        require(lasting, f"this Postgres does not keep what it commits: {facts}")
        return facts

    async def commit_ms(self) -> float:
        """The median of single inserts, one after another: how fast this disk is now."""
        async with self.fresh_database() as dsn:
            connection = await asyncpg.connect(dsn)
            try:
                await connection.execute("CREATE TABLE probe (n integer)")
                return median([await _timed_insert(connection, n) for n in range(_PROBES)])
            finally:
                await connection.close()

    async def commits(self, dsn: str) -> int:
        """Count a database's commits, once every session of it has ended and so reported."""
        database = urlsplit(dsn).path.lstrip("/")
        connection = await asyncpg.connect(self.dsn)
        try:
            await _until_nobody_is_in(database, connection)
            return int(
                await connection.fetchval(
                    "SELECT xact_commit FROM pg_stat_database WHERE datname = $1", database
                )
            )
        finally:
            await connection.close()


async def _until_nobody_is_in(database: str, connection: _Connection) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await connection.fetchval(  # noqa: ASYNC110 (another process's session ends)
            "SELECT count(*) FROM pg_stat_activity WHERE datname = $1", database
        ):
            await asyncio.sleep(0.01)


async def _timed_insert(connection: _Connection, n: int) -> float:
    began = perf_counter()
    await connection.execute("INSERT INTO probe VALUES ($1)", n)
    return (perf_counter() - began) * 1000
