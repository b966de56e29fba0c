"""Hints and leadership on Postgres: one connection, named after its process, that LISTENs."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import asyncpg

from lycatra_appservice.db.connection import Listener
from lycatra_appservice.db.postgres import CONNECT_SECONDS, LEADER_LOCK
from lycatra_appservice.db.postgres_errors import DRIVER_ERRORS, is_lost, translated
from lycatra_appservice.db.transactions import settle
from lycatra_appservice.errors import StoreUnavailableError

logger = logging.getLogger(__name__)
_Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

MAX_OWNER_BYTES = 63  # Postgres cuts application_name there
_PROBE_SECONDS = 5  # how long a connection may be dead without an end of stream
_CALL_SECONDS = 2
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0

# A lost host must be gone from pg_stat_activity before a lease (15 s) is over.
_SETTINGS = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


class PostgresSignals:
    """One direct connection with application_name `owner`, which tells others we are alive.

    It needs a session of its own: no PgBouncer in transaction mode between. Leadership is an
    advisory lock of that session, so it ends with it. Raises ValueError for an `owner` that
    Postgres would change.
    """

    def __init__(self, dsn: str, owner: str) -> None:
        if not owner.isascii() or not owner.isprintable() or len(owner) > MAX_OWNER_BYTES:
            raise ValueError(f"owner {owner!r} must be ASCII of at most {MAX_OWNER_BYTES} bytes")
        self._dsn = dsn
        self._owner = owner
        self._listeners: dict[str, list[Listener]] = {}
        self._connection: _Connection | None = None
        self._in_use = asyncio.Lock()
        self._look = asyncio.Event()
        self._heard: set[str] = set()
        self._leading: _Connection | None = None  # the one that holds the lock
        self._random = random.SystemRandom()

    def listen(self, channel: str, listener: Listener) -> None:
        """Call `listener` with the payload of each notification; also possible while running."""
        self._listeners.setdefault(channel, []).append(listener)
        self._look.set()

    @property
    def connected(self) -> bool:
        """Whether hints arrive now, as far as we know; a silent loss is found within seconds."""
        return self._connection is not None and not is_lost(self._connection)

    async def try_lead(self) -> bool:
        """Become or stay the only leader; asks Postgres each time, so a lost connection shows."""
        async with self._in_use:
            connection = self._connection
            if connection is None or is_lost(connection):
                return False
            try:
                return await self._ask_to_lead(connection)
            except DRIVER_ERRORS:
                connection.terminate()
                return False

    async def run(self, ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Listen until cancelled. `ready` is awaited after each connect, before the first hint.

        A StoreUnavailableError from `ready` counts as a failed connect: both are tried again.
        """
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                async with self._connect() as connection:
                    await self._start(connection, ready)
                    delay = _FIRST_DELAY_SECONDS
                    await self._stay(connection)
            except (StoreUnavailableError, *DRIVER_ERRORS) as exc:
                logger.warning("signals_lost", extra={"error": str(exc), "retry_in": delay})
            # So that replicas do not come back all at once.
            await asyncio.sleep(delay * self._random.uniform(0.5, 1.0))
            delay = min(delay * 2, _LONGEST_DELAY_SECONDS)

    async def _ask_to_lead(self, connection: _Connection) -> bool:
        if self._leading is connection:
            await connection.execute("SELECT 1")
            return True
        if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *LEADER_LOCK):
            self._leading = connection
        return self._leading is connection

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[_Connection]:
        with translated("connect"):
            connection = await asyncpg.connect(
                self._dsn,
                timeout=CONNECT_SECONDS,
                command_timeout=_CALL_SECONDS,
                server_settings={**_SETTINGS, "application_name": self._owner},
            )
        connection.add_termination_listener(self._on_lost)
        self._heard.clear()
        try:
            yield connection
        finally:
            self._connection = None
            await settle(self._close(connection))

    async def _close(self, connection: _Connection) -> None:
        async with self._in_use:  # asyncpg cannot close while a question is open
            with suppress(*DRIVER_ERRORS):
                await connection.close(timeout=_CALL_SECONDS)

    async def _start(
        self, connection: _Connection, ready: Callable[[], Awaitable[None]] | None
    ) -> None:
        await self._subscribe(connection)
        self._connection = connection
        if ready is not None:
            await ready()
        for channel in list(self._listeners):
            self._deliver(connection, 0, channel, "")

    async def _stay(self, connection: _Connection) -> None:
        while not is_lost(connection):
            with suppress(TimeoutError):
                async with asyncio.timeout(_PROBE_SECONDS):
                    await self._look.wait()
            self._look.clear()
            await self._subscribe(connection)
        raise StoreUnavailableError("the connection that listens was lost")

    async def _subscribe(self, connection: _Connection) -> None:
        """LISTEN on what is new, and see that the connection answers."""
        async with self._in_use:
            with translated("listen", connection):
                for channel in self._listeners.keys() - self._heard:
                    await connection.add_listener(channel, self._deliver)
                    self._heard.add(channel)
                await connection.execute("SELECT 1")

    def _deliver(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        for listener in self._listeners[channel]:
            listener(str(payload))

    def _on_lost(self, _connection: Any) -> None:
        self._look.set()
