"""What only Postgres has: outages, deadlocks, several replicas, a connection that tells of us."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest

from lycatra_appservice.db.open import new_owner_id
from lycatra_appservice.db.postgres import PostgresDatabase
from lycatra_appservice.db.postgres_signals import PostgresSignals
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.errors import StoreBusyError, StoreUnavailableError
from tests.support.postgres import OwnPostgresServer, PostgresServer

TABLE = "CREATE TABLE note (id integer PRIMARY KEY, body text);"
ADD = parse_statement("add", "INSERT INTO note(id, body) VALUES (:id, :body)")
COUNT = parse_statement("count", "SELECT count(*) AS n FROM note")
ALL = parse_statement("all", "SELECT * FROM note ORDER BY id")
LOCK = parse_statement("lock", "SELECT id FROM note WHERE id = :id FOR UPDATE")


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[PostgresDatabase]:
    database = await PostgresDatabase.open(dsn, size=2)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def notes(postgres_dsn: str) -> AsyncIterator[PostgresDatabase]:
    async with opened(postgres_dsn) as database:
        async with database.upgrade() as connection:
            await connection.run_script(TABLE)
        yield database


async def test_a_lost_connection_is_unavailable_and_then_replaced(
    notes: PostgresDatabase, postgres_server: PostgresServer, postgres_dsn: str
) -> None:
    async def be_cut_off() -> None:
        async with notes.transaction() as connection:
            await connection.execute(ADD, id=1, body="a")
            await postgres_server.terminate_backends(postgres_dsn)
            await connection.execute(ADD, id=2, body="b")

    async with asyncio.timeout(20):
        for _ in range(3):  # more often than the pool has connections
            with pytest.raises(StoreUnavailableError):
                await be_cut_off()
            assert await notes.fetch(COUNT) == [{"n": 0}]


async def test_a_connection_lost_before_the_commit_stores_nothing_and_says_so(
    notes: PostgresDatabase, postgres_server: PostgresServer, postgres_dsn: str
) -> None:
    async def be_cut_off() -> None:
        async with notes.transaction() as connection:
            await connection.execute(ADD, id=1, body="a")
            await postgres_server.terminate_backends(postgres_dsn)

    async with asyncio.timeout(20):
        with pytest.raises(StoreUnavailableError):
            await be_cut_off()
        assert await notes.fetch(COUNT) == [{"n": 0}]


async def test_a_database_opened_while_postgres_is_away_works_once_it_is_back(
    stoppable_postgres: OwnPostgresServer,
) -> None:
    await stoppable_postgres.stop_immediately()
    async with asyncio.timeout(60), opened(stoppable_postgres.dsn) as database:
        with pytest.raises(StoreUnavailableError):
            await database.fetch(COUNT)
        with pytest.raises(StoreUnavailableError):
            async with database.transaction():
                pytest.fail("not reached")
        with pytest.raises(StoreUnavailableError):
            async with database.upgrade():
                pytest.fail("not reached")

        await stoppable_postgres.start()
        async with database.upgrade() as connection:
            await connection.run_script(TABLE)
        await database.execute(ADD, id=1, body="a")

        await stoppable_postgres.stop_immediately()
        with pytest.raises(StoreUnavailableError):
            await database.fetch(COUNT)
        await stoppable_postgres.start()
        assert await database.fetch(COUNT) == [{"n": 1}]


@pytest.mark.parametrize(
    "dsn", ["/nowhere", "//nobody:secret@{host}/postgres", "//postgres@unknown.invalid/x"]
)
async def test_a_wrong_name_is_unavailable_and_tells_no_password(
    postgres_server: PostgresServer, dsn: str
) -> None:
    host = postgres_server.dsn.partition("@")[2].partition("/")[0]
    address = f"postgresql:{dsn}".format(host=host)
    if dsn == "/nowhere":
        address = postgres_server.dsn.removesuffix("/postgres") + dsn
    async with opened(address) as database:
        with pytest.raises(StoreUnavailableError) as caught:
            await database.fetch(COUNT)

    assert "secret" not in str(caught.value)


async def test_a_statement_that_waits_too_long_for_a_lock_is_busy(
    notes: PostgresDatabase,
) -> None:
    await notes.execute(ADD, id=1, body="a")
    impatient = parse_statement("impatient", "SET LOCAL lock_timeout = '10ms'")

    async def wait_for_it() -> None:
        async with notes.transaction() as connection:
            await connection.execute(impatient)
            await connection.execute(LOCK, id=1)

    async with asyncio.timeout(10), notes.transaction() as connection:
        await connection.execute(LOCK, id=1)
        with pytest.raises(StoreBusyError):
            await asyncio.create_task(wait_for_it())


@dataclass
class Deadlock:
    """A session that holds row 1 and will want row 2; the other side loses the deadlock."""

    rival: "asyncpg.Connection[asyncpg.Record]"

    async def close_the_circle(self) -> None:
        """Wait until the other side waits for row 1, then ask for row 2, and commit."""
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while not await self.rival.fetchval(waiting):
            pass
        await self.rival.execute("SELECT id FROM note WHERE id = 2 FOR UPDATE")
        await self.rival.execute("COMMIT")


@pytest.fixture
async def deadlock(notes: PostgresDatabase, postgres_dsn: str) -> AsyncIterator[Deadlock]:
    await notes.execute(ADD, id=1, body="a")
    await notes.execute(ADD, id=2, body="b")
    rival = await asyncpg.connect(postgres_dsn)
    await rival.execute("SET deadlock_timeout = '60s'")
    await rival.execute("BEGIN")
    await rival.execute("SELECT id FROM note WHERE id = 1 FOR UPDATE")
    yield Deadlock(rival)
    await rival.close()


async def test_one_statement_in_a_deadlock_is_tried_again(
    notes: PostgresDatabase, deadlock: Deadlock
) -> None:
    backwards = parse_statement("backwards", "SELECT id FROM note ORDER BY id DESC FOR UPDATE")
    async with asyncio.timeout(20):
        rows, _ = await asyncio.gather(notes.fetch(backwards), deadlock.close_the_circle())

    assert rows == [{"id": 2}, {"id": 1}]


async def test_a_transaction_in_a_deadlock_is_busy(
    notes: PostgresDatabase, deadlock: Deadlock
) -> None:
    async def backwards() -> None:
        async with notes.transaction() as connection:
            await connection.execute(LOCK, id=2)
            await connection.execute(LOCK, id=1)

    async with asyncio.timeout(20):
        with pytest.raises(StoreBusyError, match="40P01"):
            await asyncio.gather(backwards(), deadlock.close_the_circle())


async def test_a_column_added_by_another_replica_disturbs_no_one_for_long(
    notes: PostgresDatabase, postgres_dsn: str
) -> None:
    await notes.execute(ADD, id=1, body="a")
    await notes.fetch(ALL)  # the connection keeps this statement prepared
    async with opened(postgres_dsn) as newer, newer.upgrade() as connection:
        await connection.run_script("ALTER TABLE note ADD COLUMN extra text")

    with pytest.raises(StoreUnavailableError):
        async with notes.transaction() as connection:
            await connection.fetch(ALL)
    async with notes.transaction() as connection:
        assert await connection.fetch(ALL) == [{"id": 1, "body": "a", "extra": None}]


@dataclass
class Replica:
    signals: PostgresSignals
    owner: str
    heard: "asyncio.Queue[str]"
    connects: "asyncio.Queue[None]"


@asynccontextmanager
async def replica(dsn: str) -> AsyncIterator[Replica]:
    owner = new_owner_id()
    connects: asyncio.Queue[None] = asyncio.Queue()
    running = Replica(PostgresSignals(dsn, owner), owner, asyncio.Queue(), connects)
    running.signals.listen("notes", running.heard.put_nowait)

    async def ready() -> None:
        connects.put_nowait(None)

    task = asyncio.create_task(running.signals.run(ready))
    try:
        yield running
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def notify(database: PostgresDatabase, payload: str, channel: str = "notes") -> None:
    async with database.transaction() as connection:
        await connection.notify(channel, payload)


async def test_a_notification_reaches_every_replica_and_later_listeners_too(
    notes: PostgresDatabase, postgres_dsn: str
) -> None:
    async with asyncio.timeout(20), replica(postgres_dsn) as one, replica(postgres_dsn) as two:
        for each in (one, two):
            assert await each.heard.get() == ""
        await notify(notes, "x")
        assert [await one.heard.get(), await two.heard.get()] == ["x", "x"]

        late: asyncio.Queue[str] = asyncio.Queue()
        one.signals.listen("late", late.put_nowait)
        while late.empty():  # LISTEN is on its way
            await notify(notes, "y", "late")
        assert await late.get() == "y"


async def test_a_lost_listener_comes_back_and_wakes_everyone(
    notes: PostgresDatabase, postgres_server: PostgresServer, postgres_dsn: str
) -> None:
    async with asyncio.timeout(20), replica(postgres_dsn) as one:
        assert await one.heard.get() == ""
        assert one.signals.connected
        await postgres_server.terminate_backends(postgres_dsn)

        assert await one.heard.get() == ""
        assert one.signals.connected
        assert one.connects.qsize() == 2
        await notify(notes, "x")
        assert await one.heard.get() == "x"


async def test_a_listener_started_before_postgres_connects_once_it_is_there(
    stoppable_postgres: OwnPostgresServer,
) -> None:
    await stoppable_postgres.stop_immediately()
    async with asyncio.timeout(60), replica(stoppable_postgres.dsn) as one:
        assert not one.signals.connected
        assert not await one.signals.try_lead()
        await stoppable_postgres.start()
        assert await one.heard.get() == ""
        assert await one.signals.try_lead()

        await stoppable_postgres.stop_immediately()
        assert not await one.signals.try_lead()
        assert not one.signals.connected
        await stoppable_postgres.start()
        assert await one.heard.get() == ""


async def test_one_leads_and_another_takes_over_when_its_connection_ends(
    postgres_dsn: str,
) -> None:
    async with asyncio.timeout(20), replica(postgres_dsn) as two:
        await two.connects.get()
        async with replica(postgres_dsn) as one:
            await one.connects.get()
            assert await one.signals.try_lead()
            assert await one.signals.try_lead()
            assert not await two.signals.try_lead()
        assert not await one.signals.try_lead()
        while not await two.signals.try_lead():
            pass


async def test_leadership_ends_with_the_connection_that_held_it(postgres_dsn: str) -> None:
    async with asyncio.timeout(20), replica(postgres_dsn) as one, replica(postgres_dsn) as two:
        await one.connects.get()
        await two.connects.get()
        assert await one.signals.try_lead()
        admin = await asyncpg.connect(postgres_dsn)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
            one.owner,
        )
        assert not await one.signals.try_lead()
        await one.connects.get()
        while not await two.signals.try_lead():
            pass
        assert not await one.signals.try_lead()
        await admin.close()


async def test_a_replica_may_stop_while_it_asks_to_lead(postgres_dsn: str) -> None:
    async with asyncio.timeout(20):
        for steps in range(5):
            async with replica(postgres_dsn) as one:
                await one.connects.get()
                asking = asyncio.create_task(one.signals.try_lead())
                for _ in range(steps):
                    await asyncio.sleep(0)
            assert await asking in {True, False}


async def test_a_running_replica_is_seen_by_its_whole_name_and_an_ended_one_is_not(
    notes: PostgresDatabase, postgres_dsn: str
) -> None:
    seen = parse_statement(
        "seen", "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = :owner"
    )
    async with asyncio.timeout(20):
        async with replica(postgres_dsn) as one:
            await one.connects.get()
            assert await notes.fetch(seen, owner=one.owner) == [{"n": 1}]
        while await notes.fetch(seen, owner=one.owner) != [{"n": 0}]:
            pass


@pytest.mark.parametrize("owner", ["x" * 64, "ümlaut", "line\nbreak"])
def test_a_name_that_postgres_would_change_is_refused(owner: str) -> None:
    with pytest.raises(ValueError, match="63 bytes"):
        PostgresSignals("postgresql://", owner)
