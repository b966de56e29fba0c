"""What a store may rely on, on both engines."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from lycatra_appservice.db.connection import Connection, Database, Signals
from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.db.open import OpenedDatabase, open_database
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.errors import StoreUnavailableError

TABLE = "CREATE TABLE note (id integer PRIMARY KEY, body text);"
ADD = parse_statement("add", "INSERT INTO note(id, body) VALUES (:id, :body)")
ADD_RETURNING = parse_statement("add_returning", f"{ADD.text} RETURNING *")
BODIES = parse_statement("bodies", "SELECT body FROM note ORDER BY id")
COUNT = parse_statement("count", "SELECT count(*) AS n FROM note")


@pytest.fixture
async def opened(empty_database_url: str) -> AsyncIterator[OpenedDatabase]:
    opened = await open_database(empty_database_url, pool_size=2)
    async with opened.database.upgrade() as connection:
        await connection.run_script(TABLE)
    yield opened
    await opened.database.close()


@pytest.fixture
def notes(opened: OpenedDatabase) -> UpgradableDatabase:
    return opened.database


async def bodies(source: Database | Connection) -> Sequence[str]:
    return [row["body"] for row in await source.fetch(BODIES)]


async def count(source: Database) -> int:
    row = await source.fetch_one(COUNT)
    assert row is not None
    n: int = row["n"]
    return n


async def test_a_finished_transaction_is_there_for_everyone(
    notes: UpgradableDatabase, empty_database_url: str
) -> None:
    other = (await open_database(empty_database_url)).database
    async with notes.transaction() as connection:
        await connection.execute(ADD, id=1, body="a")
        await connection.execute_many(ADD, [{"id": 3, "body": "c"}, {"id": 2, "body": "b"}])
        assert await bodies(other) == []

    assert await bodies(other) == ["a", "b", "c"]
    await other.close()


async def test_rows_are_mappings_by_column(notes: UpgradableDatabase) -> None:
    rows = await notes.fetch(ADD_RETURNING, id=1, body="a")

    assert rows == [{"id": 1, "body": "a"}]
    assert [dict(**row) for row in rows] == [{"id": 1, "body": "a"}]
    assert await notes.fetch_one(parse_statement("none", "SELECT 1 AS x WHERE 1 = 2")) is None


async def test_a_parameter_may_stand_twice_in_a_statement(notes: UpgradableDatabase) -> None:
    twice = parse_statement("twice", "SELECT CAST(:a AS text) || :b || CAST(:a AS text) AS x")

    assert await notes.fetch_one(twice, a="1", b="2") == {"x": "121"}


async def test_an_exception_inside_a_transaction_leaves_nothing(
    notes: UpgradableDatabase,
) -> None:
    async def fail_half_way() -> None:
        async with notes.transaction() as connection:
            await connection.execute(ADD, id=1, body="a")
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await fail_half_way()
    assert await bodies(notes) == []


async def test_a_task_cancelled_between_insert_and_commit_leaves_nothing(
    notes: UpgradableDatabase,
) -> None:
    inserted = asyncio.Event()

    async def insert_and_wait() -> None:
        async with notes.transaction() as connection:
            await connection.execute(ADD, id=1, body="a")
            inserted.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(10):
        for _ in range(3):  # more often than the pool has connections
            inserted.clear()
            task = asyncio.create_task(insert_and_wait())
            await inserted.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await bodies(notes) == []

        async with notes.transaction() as connection:
            await connection.execute(ADD, id=1, body="b")
    assert await bodies(notes) == ["b"]


@pytest.mark.parametrize("steps", range(6))
async def test_a_task_cancelled_during_its_commit_is_stored_whole_or_not_at_all(
    notes: UpgradableDatabase, steps: int
) -> None:
    written = asyncio.Event()

    async def insert() -> None:
        async with notes.transaction() as connection:
            await connection.execute(ADD, id=1, body="a")
            await connection.execute(ADD, id=2, body="b")
            written.set()

    async with asyncio.timeout(10):
        task = asyncio.create_task(insert())
        await written.wait()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        cancelled = (await asyncio.gather(task, return_exceptions=True))[0] is not None
        settled = await count(notes)
        assert settled in ({0, 2} if cancelled else {2})

        await notes.execute(ADD, id=3, body="c")
    assert await count(notes) == settled + 1


async def test_a_task_cancelled_anywhere_leaves_the_database_usable(
    notes: UpgradableDatabase,
) -> None:
    async def insert(first: int) -> None:
        async with notes.transaction() as connection:
            await connection.execute(ADD, id=first, body="a")
            await connection.execute(ADD, id=first + 1, body="b")
        await notes.execute(ADD, id=first + 2, body="c")
        await notes.execute(ADD, id=first + 3, body="d")

    async with asyncio.timeout(30):
        for steps in range(60):
            task = asyncio.create_task(insert(steps * 4))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with notes.transaction() as connection:
                left = len(await bodies(connection))
                await connection.execute(parse_statement("clear", "DELETE FROM note"))
            assert left != 1


async def test_a_commit_that_went_through_is_told_although_its_task_was_cancelled(
    opened: OpenedDatabase,
) -> None:
    heard = asyncio.Event()
    opened.signals.listen("notes", lambda payload: heard.set() if payload == "new" else None)
    committing = asyncio.Event()

    async def insert() -> None:
        async with opened.database.transaction() as connection:
            await connection.execute(ADD, id=1, body="a")
            await connection.notify("notes", "new")
            committing.set()

    async with asyncio.timeout(10), running(opened.signals):
        task = asyncio.create_task(insert())
        await committing.wait()
        await asyncio.sleep(0)  # the commit has begun
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if await count(opened.database):
            await heard.wait()


async def test_listeners_hear_of_a_transaction_only_if_it_commits_and_only_then(
    opened: OpenedDatabase,
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    opened.signals.listen("notes", heard.put_nowait)

    async def roll_back() -> None:
        async with opened.database.transaction() as connection:
            await connection.notify("notes", "rolled back")
            raise LookupError("mine")

    async with asyncio.timeout(10), running(opened.signals):
        assert await heard.get() == ""
        with pytest.raises(LookupError, match="mine"):
            await roll_back()
        async with opened.database.transaction() as connection:
            await connection.notify("notes", "kept")
            await connection.notify("notes", "kept")
            await connection.notify("elsewhere", "other")
            await connection.execute(ADD, id=1, body="a")
            assert heard.empty()
        assert await heard.get() == "kept"

        async with opened.database.transaction() as connection:
            await connection.notify("notes")
        assert await heard.get() == ""
        assert heard.empty()


@pytest.mark.parametrize("body", ["a\0b", "lone \ud800 surrogate"])
async def test_a_text_that_postgres_cannot_store_is_a_value_error_on_both(
    notes: UpgradableDatabase, body: str
) -> None:
    with pytest.raises(ValueError, match="add") as caught:
        await notes.execute(ADD, id=1, body=body)
    assert body not in str(caught.value)
    with pytest.raises(ValueError, match="add"):
        async with notes.transaction() as connection:
            await connection.execute_many(ADD, [{"id": 1, "body": "a"}, {"id": 2, "body": body}])

    await notes.execute(ADD, id=1, body="good")
    assert await bodies(notes) == ["good"]


async def test_an_escaped_nul_survives(notes: UpgradableDatabase) -> None:
    await notes.execute(ADD, id=1, body=r'{"a": "\u0000"}')

    assert await bodies(notes) == [r'{"a": "\u0000"}']


async def test_a_transaction_with_a_failed_statement_cannot_be_committed(
    notes: UpgradableDatabase,
) -> None:
    async def overlook_a_failure() -> None:
        async with notes.transaction() as connection:
            await connection.execute(ADD, id=1, body="a")
            with contextlib.suppress(ValueError):
                await connection.execute(ADD, id=2, body="a\0b")

    with pytest.raises(RuntimeError, match="had failed before"):
        await overlook_a_failure()
    assert await bodies(notes) == []


async def test_a_second_transaction_of_the_same_task_is_refused_not_waited_for(
    notes: UpgradableDatabase,
) -> None:
    async with asyncio.timeout(10), notes.transaction() as connection:
        with pytest.raises(RuntimeError, match="already inside a transaction"):
            await notes.fetch(BODIES)
        with pytest.raises(RuntimeError, match="already inside a transaction"):
            async with notes.transaction():
                pytest.fail("not reached")
        await connection.execute(ADD, id=1, body="a")

    assert await bodies(notes) == ["a"]


async def test_two_replicas_may_write_at_the_same_time(
    database_pair: tuple[UpgradableDatabase, UpgradableDatabase],
) -> None:
    first, second = database_pair
    async with first.upgrade() as connection:
        await connection.run_script(TABLE)

    async def write(database: Database, start: int) -> None:
        for number in range(start, start + 50):
            async with database.transaction() as connection:
                await connection.execute(ADD, id=number, body="a")

    async with asyncio.timeout(30):
        await asyncio.gather(write(first, 0), write(first, 100), write(second, 200))
    assert await count(second) == 150


async def test_a_closed_database_says_so_and_can_be_closed_again(
    notes: UpgradableDatabase,
) -> None:
    await notes.close()
    await notes.close()

    with pytest.raises(StoreUnavailableError, match="closed"):
        await notes.fetch(BODIES)
    with pytest.raises(StoreUnavailableError, match="closed"):
        async with notes.transaction():
            pytest.fail("not reached")


async def test_the_clock_of_the_database_counts_milliseconds(database: UpgradableDatabase) -> None:
    row = await database.fetch_one(parse_statement("now", "SELECT lycatra_now() AS now"))

    assert row is not None
    assert isinstance(row["now"], int)
    assert 1_700_000_000_000 < row["now"] < 10_000_000_000_000


@asynccontextmanager
async def running(signals: Signals) -> AsyncIterator[None]:
    started = asyncio.Event()

    async def ready() -> None:
        started.set()

    task = asyncio.create_task(signals.run(ready))
    await started.wait()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
