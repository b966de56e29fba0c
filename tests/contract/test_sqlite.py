"""What only SQLite has: one file, one worker, other commands beside it."""

import asyncio
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lycatra_appservice.db.sqlite import SqliteDatabase, split_script
from lycatra_appservice.db.sqlite_signals import SqliteSignals
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.db.worker_lock import WorkerLock
from lycatra_appservice.errors import StoreBusyError, StoreUnavailableError

ADD = parse_statement("add", "INSERT INTO note(id, body) VALUES (:id, :body)")
COUNT = parse_statement("count", "SELECT count(*) AS n FROM note")

HOLD_THE_LOCK = """
import sys
from pathlib import Path
from lycatra_appservice.db.worker_lock import WorkerLock
lock = WorkerLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lycatra.db"


@pytest.fixture
async def notes(path: Path) -> AsyncIterator[SqliteDatabase]:
    database = await SqliteDatabase.open(path, SqliteSignals())
    async with database.upgrade() as connection:
        await connection.run_script("CREATE TABLE note (id integer PRIMARY KEY, body text)")
    yield database
    await database.close()


async def test_a_commit_is_safe_against_loss_of_power(notes: SqliteDatabase) -> None:
    async def pragma(name: str) -> object:
        row = await notes.fetch_one(parse_statement(name, f"PRAGMA {name}"))
        assert row is not None
        return next(iter(row.values()))

    assert await pragma("journal_mode") == "wal"
    assert await pragma("synchronous") == 2
    assert await pragma("foreign_keys") == 1
    assert await pragma("busy_timeout") == 5000


async def test_a_new_file_is_for_its_owner_only(notes: SqliteDatabase, path: Path) -> None:
    await notes.execute(ADD, id=1, body="secret")

    files = [path, *path.parent.glob("lycatra.db-*")]
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_closing_leaves_one_file(notes: SqliteDatabase, path: Path) -> None:
    await notes.execute(ADD, id=1, body="a")
    await notes.close()

    assert [file.name for file in path.parent.iterdir()] == ["lycatra.db"]


async def test_a_full_disk_is_unavailable_and_passes(notes: SqliteDatabase) -> None:
    await notes.execute(parse_statement("limit", "PRAGMA max_page_count = 4"))

    async def add() -> None:
        async with notes.transaction() as connection:
            await connection.execute(ADD, id=1, body="small")
            await connection.execute(ADD, id=2, body="x" * 100_000)

    with pytest.raises(StoreUnavailableError, match="full"):
        await add()
    assert await notes.fetch_one(COUNT) == {"n": 0}

    await notes.execute(parse_statement("limit", "PRAGMA max_page_count = 1000"))
    await add()
    assert await notes.fetch_one(COUNT) == {"n": 2}


async def test_a_command_beside_the_worker_writes_to_the_same_file(
    notes: SqliteDatabase, path: Path
) -> None:
    with WorkerLock(path):
        command = await SqliteDatabase.open(path, SqliteSignals())
        async with asyncio.timeout(10), notes.transaction() as connection:
            await connection.execute(ADD, id=1, body="worker")
            waiting = asyncio.create_task(command.execute(ADD, id=2, body="command"))
            await asyncio.sleep(0)
        await waiting
        assert await notes.fetch_one(COUNT) == {"n": 2}
        await command.close()
        assert await notes.fetch_one(COUNT) == {"n": 2}


def test_a_second_worker_is_refused_with_a_reason(path: Path) -> None:
    by_another_name = path.parent / "." / "link.db"
    path.touch()
    by_another_name.symlink_to(path)
    with WorkerLock(path):
        for name in (path, by_another_name):
            with pytest.raises(StoreBusyError, match=r"another worker .*lycatra\.db"):
                WorkerLock(name).acquire()

    with WorkerLock(by_another_name):
        pass


def test_a_killed_worker_leaves_no_lock_behind(path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(StoreBusyError):
            WorkerLock(path).acquire()
        process.kill()

    with WorkerLock(path):
        pass


def test_a_lock_in_a_missing_folder_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="the folder must exist, be writable"):
        WorkerLock(tmp_path / "missing" / "lycatra.db").acquire()


def test_a_script_is_cut_only_where_a_statement_ends() -> None:
    script = """
    -- a comment; with a semicolon
    CREATE TABLE a (x text DEFAULT ';');
    CREATE TRIGGER t AFTER INSERT ON a BEGIN
      DELETE FROM a; SELECT 1;
    END;
    INSERT INTO a VALUES ('it''s; fine')
    """
    first, second, third = split_script(script)

    assert first.endswith("DEFAULT ';');")
    assert second.startswith("CREATE TRIGGER")
    assert second.endswith("END;")
    assert third == "INSERT INTO a VALUES ('it''s; fine')"
