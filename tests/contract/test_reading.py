"""Databases that tools may read: on both engines nothing is written, nothing runs for ever."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from lycatra_appservice.db.open import open_database, sqlite_path
from lycatra_appservice.db.statements import Dialect, parse_statement
from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.settings import ToolDatabase
from lycatra_appservice.toolkit.databases import Databases
from lycatra_appservice.toolkit.queries import ReadOnlyDatabase

CANARY = "canary-9c4e71"
LOG = logging.getLogger("tests.reading")
DIALECTS = {True: Dialect.SQLITE, False: Dialect.POSTGRES}


def dialect_of(url: str) -> Dialect:
    return DIALECTS[sqlite_path(url) is not None]


@pytest.fixture
async def crm_url(empty_database_url: str) -> str:
    """A database of somebody else, with three people in it; its folder's name needs quoting."""
    url = empty_database_url
    file = sqlite_path(url)
    if file is not None:
        folder = file.parent / "with space #1? 100%"
        folder.mkdir()
        url = f"sqlite:///{folder / 'crm.db'}"
    opened = (await open_database(url)).database
    async with opened.upgrade() as connection:
        await connection.run_script(
            "CREATE TABLE person (id integer, name text, email text, balance numeric(9, 2));"
            "INSERT INTO person VALUES (1, 'Alice', 'alice@example.org', 12.50);"
            "INSERT INTO person VALUES (2, 'Bob', 'bob@example.org', 0);"
            "INSERT INTO person VALUES (3, 'Eve', NULL, -1);"
        )
    await opened.close()
    return url


@asynccontextmanager
async def crm(
    url: str, *, max_rows: int = 200, timeout_ms: int = 5000
) -> AsyncIterator[ReadOnlyDatabase]:
    section = ToolDatabase(
        url=SecretStr(url), max_rows=max_rows, timeout=timedelta(milliseconds=timeout_ms)
    )
    databases = Databases({"crm": section})
    try:
        yield databases.opener(LOG)("crm")
    finally:
        await databases.close()


async def people_in(url: str) -> int:
    opened = (await open_database(url)).database
    row = await opened.fetch_one(parse_statement("count", "SELECT count(*) AS n FROM person"))
    await opened.close()
    assert row is not None
    return int(row["n"])


async def test_rows_come_as_json_and_values_go_as_parameters(crm_url: str) -> None:
    query = "SELECT id, name FROM person WHERE email = :email ORDER BY id"
    async with crm(crm_url) as database:
        found = await database.fetch(query, email="bob@example.org")
        assert (found.rows, found.more) == ([{"id": 2, "name": "Bob"}], False)
        assert await database.fetch_one(query, email="' OR 1=1 --") is None


async def test_exact_numbers_times_and_bytes_become_what_json_has(crm_url: str) -> None:
    queries: dict[Dialect, LiteralString] = {
        Dialect.POSTGRES: (
            "SELECT balance AS exact, timestamptz '2026-11-22 12:00Z' AS at,"
            " '\\x00ff'::bytea AS raw, ARRAY[1, 2] AS list, date '2026-11-22' AS day"
            " FROM person WHERE id = 1"
        ),
        Dialect.SQLITE: "SELECT balance AS exact, x'00ff' AS raw FROM person WHERE id = 1",
    }
    async with crm(crm_url) as database:
        row = await database.fetch_one(queries[dialect_of(crm_url)])

    if dialect_of(crm_url) is Dialect.SQLITE:
        assert row == {"exact": 12.5, "raw": "<2 bytes>"}
    else:
        assert row == {
            "exact": "12.50",
            "at": "2026-11-22T12:00:00+00:00",
            "raw": "<2 bytes>",
            "list": [1, 2],
            "day": "2026-11-22",
        }


async def test_more_rows_than_allowed_are_not_read_and_told(crm_url: str) -> None:
    async with crm(crm_url, max_rows=2) as database:
        found = await database.fetch("SELECT id FROM person ORDER BY id")
        assert ([row["id"] for row in found.rows], found.more) == ([1, 2], True)
        assert not (await database.fetch("SELECT id FROM person WHERE id < 3")).more


@pytest.mark.parametrize(
    "query",
    [
        "WITH one AS (SELECT 9 AS id) INSERT INTO person (id) SELECT id FROM one",
        "WITH gone AS (SELECT 1) DELETE FROM person",
        "SELECT 1; DELETE FROM person",
    ],
)
async def test_what_would_write_is_refused_by_the_database_itself(
    crm_url: str, query: LiteralString, caplog: pytest.LogCaptureFixture
) -> None:
    async with crm(crm_url) as database:
        with pytest.raises(ToolFailedError, match="database `crm` refused the query"):
            await database.fetch(query)

    assert await people_in(crm_url) == 3
    [record] = caplog.records
    assert record.message == "database_query_failed"


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO person (id) VALUES (9)",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "ATTACH 'other.db' AS other",
        "PRAGMA query_only=OFF",
        "COPY person TO PROGRAM 'cat'",
        "COMMIT",
        "-- nothing\nSELECT 1",
    ],
)
async def test_what_is_no_query_is_not_even_asked(crm_url: str, query: LiteralString) -> None:
    async with crm(crm_url) as database:
        with pytest.raises(ValueError, match="has to begin with SELECT"):
            await database.fetch(query)


async def test_reading_only_cannot_be_switched_off(postgres_dsn: str) -> None:
    opened = (await open_database(postgres_dsn)).database
    async with opened.upgrade() as connection:
        await connection.run_script("CREATE TABLE person (id integer)")
    await opened.close()
    for scope in ("true", "false"):
        switch: LiteralString = "SELECT set_config('transaction_read_only', 'off', "
        settings: dict[str, LiteralString] = {"true": "true)", "false": "false)"}
        async with crm(postgres_dsn) as database:
            with pytest.raises(ToolFailedError):
                await database.fetch(switch + settings[scope])
            with pytest.raises(ToolFailedError):
                await database.fetch(
                    "WITH new AS (INSERT INTO person VALUES (1) RETURNING id) SELECT id FROM new"
                )

    assert await people_in(postgres_dsn) == 0


async def test_a_query_that_takes_too_long_is_ended(crm_url: str) -> None:
    slow: dict[Dialect, LiteralString] = {
        Dialect.POSTGRES: "SELECT pg_sleep(3600)",
        Dialect.SQLITE: (
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT sum(n) FROM t"
        ),
    }
    async with asyncio.timeout(20), crm(crm_url, timeout_ms=100) as database:
        with pytest.raises(ToolFailedError, match=r"no answer within 0\.1 seconds"):
            await database.fetch(slow[dialect_of(crm_url)])
        assert await database.fetch_one("SELECT 1 AS one") == {"one": 1}


async def test_a_call_that_is_cancelled_ends_its_query(crm_url: str) -> None:
    slow: dict[Dialect, LiteralString] = {
        Dialect.POSTGRES: "SELECT pg_sleep(3600)",
        Dialect.SQLITE: (
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT sum(n) FROM t"
        ),
    }
    async with asyncio.timeout(20), crm(crm_url, timeout_ms=60_000) as database:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await database.fetch(slow[dialect_of(crm_url)])


async def test_a_database_that_is_away_is_told_without_its_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for url in (
        f"sqlite:///{tmp_path / 'nowhere.db'}",
        f"postgresql://reader:{CANARY}@127.0.0.1:1/crm",
    ):
        async with crm(url) as database:
            with pytest.raises(ToolFailedError, match="`crm` does not answer") as caught:
                await database.fetch("SELECT 1")
        assert CANARY not in f"{caught.value}{caught.value.__cause__}{caplog.text}"
    assert not (tmp_path / "nowhere.db").exists()


async def test_a_wrong_password_is_told_without_it(postgres_dsn: str) -> None:
    parts = urlsplit(postgres_dsn)
    url = parts._replace(netloc=f"nobody_here:{CANARY}@{parts.netloc.rpartition('@')[2]}").geturl()
    async with crm(url) as database:
        with pytest.raises(ToolFailedError, match="`crm` does not answer"):
            await database.fetch("SELECT 1")


async def test_a_table_that_is_missing_and_a_value_that_does_not_fit_are_told(
    crm_url: str,
) -> None:
    async with crm(crm_url) as database:
        with pytest.raises(ToolFailedError, match="refused the query"):
            await database.fetch("SELECT * FROM no_such_table")
        with pytest.raises(ValueError, match="parameters and query do not fit: email"):
            await database.fetch("SELECT * FROM person WHERE email = :email")


async def test_a_value_of_another_type_is_told_without_repeating_it(
    postgres_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with crm(postgres_dsn) as database:
        with pytest.raises(ToolFailedError, match="refused the query"):
            await database.fetch("SELECT 1 WHERE 1 = :id", id=CANARY)

    assert CANARY not in caplog.text
    assert CANARY not in str(caplog.records[0].__dict__)


async def test_a_database_that_is_not_configured_says_where_it_belongs() -> None:
    with pytest.raises(ToolFailedError, match=r"`stock` yet.*under `databases`"):
        Databases({}).opener(LOG)("stock")
