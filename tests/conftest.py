"""Databases for the tests: both engines, one store seen by two replicas, a server to break."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from lycatra_appservice.db.migrate import UpgradableDatabase, migrate
from lycatra_appservice.db.open import open_database
from tests.support.migrated import lay_out
from tests.support.postgres import (
    NoPostgresError,
    OwnPostgresServer,
    PostgresServer,
    find_postgres,
)

Server = TypeVar("Server", bound=PostgresServer)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The Postgres of this test run; never stop it, others use it too."""
    server = _or_skip(find_postgres)
    yield server
    server.close()


@pytest.fixture
def stoppable_postgres() -> Iterator[OwnPostgresServer]:
    """A Postgres of this test alone, to be stopped and started."""
    server = _or_skip(OwnPostgresServer.launch)
    yield server
    server.close()


@pytest.fixture
async def postgres_dsn(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """An empty Postgres database."""
    async with postgres_server.fresh_database() as dsn:
        yield dsn


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine once."""
    engine: str = request.param
    return engine


@pytest.fixture
async def empty_database_url(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """An empty database, once of each engine."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'lycatra.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    async with server.fresh_database() as dsn:
        yield dsn


@pytest.fixture
async def database_url(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """A migrated database, once of each engine."""
    if engine == "sqlite":
        url = f"sqlite:///{tmp_path / 'lycatra.db'}"
        await lay_out(url)
        yield url
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    async with server.migrated_database() as dsn:
        yield dsn


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[UpgradableDatabase]:
    """A migrated database, once of each engine."""
    async with _migrated(database_url) as opened:
        yield opened


@pytest.fixture
async def database_pair(
    database_url: str,
) -> AsyncIterator[tuple[UpgradableDatabase, UpgradableDatabase]]:
    """One migrated store opened twice, as two replicas (on SQLite: two processes) see it."""
    async with _migrated(database_url) as first, _migrated(database_url) as second:
        yield first, second


@asynccontextmanager
async def _migrated(url: str) -> AsyncIterator[UpgradableDatabase]:
    database = (await open_database(url, pool_size=4)).database
    try:
        await migrate(database)
        yield database
    finally:
        await database.close()


def _or_skip(launch: Callable[[], Server]) -> Server:
    try:
        return launch()
    except NoPostgresError as exc:
        if os.environ.get("CI"):
            pytest.fail(f"no Postgres, and a CI run must not skip its tests: {exc}")
        pytest.skip(f"no Postgres: {exc}")
