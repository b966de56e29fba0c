"""Migrations: replicas of any version start together on one database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from lycatra_appservice.db.migrate import (
    Schema,
    UpgradableDatabase,
    load_migrations,
    migrate,
    read_schema,
)
from lycatra_appservice.db.open import open_database
from lycatra_appservice.db.statements import Dialect, parse_statement
from lycatra_appservice.errors import SchemaTooNewError

Folder = Callable[[int], Path]

STEPS = {
    "0001_notes.sql": "-- compat: 1\nCREATE TABLE note (id integer PRIMARY KEY, body text);\n",
    "0002_seen.postgres.sql": "-- compat: 1\nALTER TABLE note ADD COLUMN seen boolean;\n",
    "0002_seen.sqlite.sql": "-- compat: 1\nALTER TABLE note ADD COLUMN seen integer;\n",
    "0003_two.sql": (
        "-- Two statements; and a text.\n-- compat: 2\n"
        "CREATE TABLE tag (name text);\nINSERT INTO tag VALUES ('a;b');\n"
    ),
}
TAGS = parse_statement("tags", "SELECT name FROM tag")


@pytest.fixture
def release(tmp_path: Path) -> Folder:
    """Make the migrations folder of a release that knows this many steps."""

    def make(steps: int) -> Path:
        folder = tmp_path / f"release_{steps}"
        folder.mkdir(exist_ok=True)
        for name, script in STEPS.items():
            if int(name[:4]) <= steps:
                (folder / name).write_text(script, encoding="utf-8")
        return folder

    return make


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[UpgradableDatabase]:
    database = (await open_database(url, pool_size=1)).database
    try:
        yield database
    finally:
        await database.close()


async def test_an_empty_database_gets_every_step_in_order_and_once(
    empty_database_url: str, release: Folder
) -> None:
    async with opened(empty_database_url) as database:
        assert await read_schema(database) == Schema(version=0, compat=0)
        assert await migrate(database, release(3)) == 3
        assert await migrate(database, release(3)) == 3

        assert await read_schema(database) == Schema(version=3, compat=2)
        assert await database.fetch(TAGS) == [{"name": "a;b"}]


async def test_a_newer_release_adds_only_what_is_missing(
    empty_database_url: str, release: Folder
) -> None:
    async with opened(empty_database_url) as database:
        assert await migrate(database, release(1)) == 1
        assert await migrate(database, release(3)) == 3


@pytest.mark.parametrize("attempt", range(3))
async def test_replicas_that_start_together_on_an_empty_database_all_come_up(
    empty_database_url: str, release: Folder, attempt: int
) -> None:
    async def start(steps: int) -> int:
        async with opened(empty_database_url) as database:
            return await migrate(database, release(steps))

    async with asyncio.timeout(30):
        assert set(await asyncio.gather(start(3), start(3), start(3))) == {3}
    async with opened(empty_database_url) as database:
        assert await database.fetch(TAGS) == [{"name": "a;b"}]


async def test_the_release_before_starts_on_a_newer_schema_it_can_use(
    empty_database_url: str, release: Folder
) -> None:
    async with opened(empty_database_url) as database:
        await migrate(database, release(3))

        assert await migrate(database, release(2)) == 3


async def test_a_release_too_old_for_the_schema_is_refused_and_told_what_it_needs(
    empty_database_url: str, release: Folder
) -> None:
    async with opened(empty_database_url) as database:
        await migrate(database, release(3))

        with pytest.raises(SchemaTooNewError, match=r"schema 3 and needs .* schema 2 or newer"):
            await migrate(database, release(1))
        assert await read_schema(database) == Schema(version=3, compat=2)


async def test_the_release_before_need_not_wait_for_a_migration_under_way(
    empty_database_url: str, release: Folder
) -> None:
    async with AsyncExitStack() as stack:
        newer = await stack.enter_async_context(opened(empty_database_url))
        older = await stack.enter_async_context(opened(empty_database_url))
        await migrate(older, release(2))
        async with asyncio.timeout(10), newer.upgrade() as connection:
            await connection.run_script("CREATE TABLE slow (id integer)")
            assert await migrate(older, release(2)) == 2


async def test_a_step_that_fails_leaves_nothing_of_itself_and_runs_when_mended(
    empty_database_url: str, release: Folder
) -> None:
    folder = release(3)
    (folder / "0003_two.sql").write_text(
        "-- compat: 2\nCREATE TABLE tag (name text);\nINSERT INTO nowhere VALUES (1);\n",
        encoding="utf-8",
    )
    async with opened(empty_database_url) as database:
        with pytest.raises(Exception, match="nowhere"):
            await migrate(database, folder)
        assert await read_schema(database) == Schema(version=2, compat=1)

        assert await migrate(database, release(3)) == 3
        assert await database.fetch(TAGS) == [{"name": "a;b"}]


async def test_a_cancelled_migration_leaves_a_database_that_can_be_migrated(
    empty_database_url: str, release: Folder
) -> None:
    async with asyncio.timeout(30), opened(empty_database_url) as database:
        for steps in range(0, 60, 3):
            task = asyncio.create_task(migrate(database, release(3)))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        assert await migrate(database, release(3)) == 3


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["0001_a.sql", "0003_c.sql"], r"without a gap: \[1, 3\]"),
        (["0001_a.sql", "0001_b.sqlite.sql"], r"without a gap: \[1, 1\]"),
        (["0001_a.sql", "0002_b.postgres.sql", "0003_c.sql"], r"without a gap: \[1, 3\]"),
    ],
)
def test_a_gap_or_a_double_number_stops_the_start(
    tmp_path: Path, names: Sequence[str], complaint: str
) -> None:
    for name in names:
        (tmp_path / name).write_text("-- compat: 1\nSELECT 1;\n", encoding="utf-8")

    with pytest.raises(ValueError, match=complaint):
        load_migrations(Dialect.SQLITE, tmp_path)


def test_a_step_must_say_which_release_can_use_it(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1;\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"0001_a\.sql lacks its line"):
        load_migrations(Dialect.SQLITE, tmp_path)


def test_both_engines_are_at_the_same_schema() -> None:
    postgres, sqlite = (load_migrations(dialect) for dialect in Dialect)

    assert [(each.version, each.compat) for each in postgres] == [
        (each.version, each.compat) for each in sqlite
    ]
