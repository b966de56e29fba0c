"""The audit is only ever added to: on both engines, past outages, shutdowns and redactions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from lycatra_appservice.audit.entry import STARTED, Entry, Recorded, Ruling
from lycatra_appservice.audit.store import AuditStore, Wanted
from lycatra_appservice.audit.trail import AuditTrail
from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.migrate import UpgradableDatabase, migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.db.statements import Dialect, Statement, Statements
from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.model import Face, LaneKind, RoomID, UserID
from lycatra_appservice.turns.forgetting import Forgetting, Forgotten
from lycatra_appservice.turns.revisions import Replaced, Revisions
from tests.support.turns import Engine, message, query, trigger, until

PERSON, OTHER = UserID("@person:hs.test"), UserID("@other:hs.test")
ROOM = RoomID("!room")
SECRET = "swordfish"
NEVER = timedelta(hours=1)  # until then no entry is written by itself
WHOLE = Entry(
    call="c1",
    person=PERSON,
    face=Face.AGENT,
    tool="list_updates",
    ruling=Ruling.ALLOWED,
    outcome="ok",
    room_id=ROOM,
    trigger_id="$a",
    took_ms=12,
    arguments='{"limit": 3}',
    arguments_hash="0" * 32,
    approval="K7QF",
    approvers=(OTHER, PERSON),
    reference="abcd",
)


@dataclass
class Clock:
    """Seconds that only pass when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def store(database: Database) -> AuditStore:
    """Reads what was kept."""
    return AuditStore(database)


@pytest.fixture
async def trail(database: Database) -> AsyncIterator[AuditTrail]:
    """Writes only when it must."""
    async with AuditTrail(database, linger=NEVER) as opened:
        yield opened


def entry(n: int = 1, **more: Any) -> Entry:
    return replace(WHOLE, **{"call": f"c{n}", **more})


def calls(found: Sequence[Recorded]) -> list[str]:
    return [each.entry.call for each in found]


async def all_of(store: AuditStore) -> list[Recorded]:
    return [each async for each in store.all(Wanted())]


async def test_an_entry_is_kept_whole_at_the_time_of_the_database(
    trail: AuditTrail, store: AuditStore
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    await trail.note(WHOLE)
    await trail.flush()

    [kept] = await store.of_turn("$a")
    assert kept.entry == WHOLE
    assert before < kept.at < datetime.now(UTC) + timedelta(seconds=1)


async def test_an_entry_that_waited_keeps_the_time_when_it_happened(
    database: Database, store: AuditStore
) -> None:
    clock = Clock()
    async with AuditTrail(database, linger=NEVER, monotonic=clock) as trail:
        await trail.note(entry(1))
        clock.seconds = 3600
        await trail.note(entry(2))
        await trail.flush()

    first, second = await store.latest(Wanted(), 9)
    assert timedelta(minutes=59) < second.at - first.at < timedelta(minutes=61)


async def test_what_must_be_kept_at_once_is_there_for_other_processes_with_all_before_it(
    database_pair: tuple[UpgradableDatabase, UpgradableDatabase],
) -> None:
    ours, theirs = database_pair
    async with AuditTrail(ours, linger=NEVER) as trail:
        await trail.note(entry(1))
        await trail.write(entry(2))

        assert calls(await AuditStore(theirs).latest(Wanted(), 9)) == ["c1", "c2"]


async def test_entries_are_written_soon_by_themselves(
    database: Database, store: AuditStore
) -> None:
    async with AuditTrail(database, linger=timedelta(0)) as trail:
        await trail.note(entry(1))

        async def written() -> bool:
            return bool(await store.of_turn("$a"))

        await until(written)


async def test_a_shutdown_keeps_what_was_waiting(database: Database, store: AuditStore) -> None:
    async with AuditTrail(database, linger=NEVER) as trail:
        for n in range(450):
            await trail.note(entry(n))
        assert not await store.of_turn("$a")

    assert calls(await all_of(store)) == [f"c{n}" for n in range(450)]


async def test_never_more_waits_than_is_allowed(database: Database, store: AuditStore) -> None:
    async with AuditTrail(database, linger=NEVER, most_waiting=3) as trail:
        for n in range(3):
            await trail.note(entry(n))
        assert not await store.of_turn("$a")

        await trail.note(entry(3))

        assert len(await store.of_turn("$a")) == 4


async def test_the_same_entry_is_never_kept_twice(trail: AuditTrail, store: AuditStore) -> None:
    for _ in range(2):
        await trail.write(WHOLE)

    assert len(await store.of_turn("$a")) == 1


class Forgetful:
    """A database whose answer to a statement is lost once, after it was committed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.loses_next = False

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        return self._database.transaction()

    async def fetch(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        return await self._database.fetch(statement, **parameters)

    async def fetch_one(self, statement: Statement, **parameters: object) -> Row | None:
        return await self._database.fetch_one(statement, **parameters)

    async def execute(self, statement: Statement, **parameters: object) -> None:
        await self._database.execute(statement, **parameters)
        if self.loses_next:
            self.loses_next = False
            raise StoreUnavailableError("the connection was lost")

    async def close(self) -> None:
        await self._database.close()


async def test_an_entry_whose_commit_is_unknown_is_kept_once(
    database: Database, store: AuditStore
) -> None:
    forgetful = Forgetful(database)
    async with AuditTrail(forgetful, linger=NEVER) as trail:
        forgetful.loses_next = True
        with pytest.raises(StoreUnavailableError):
            await trail.write(entry(1))
        await trail.write(entry(2))

    assert calls(await store.of_turn("$a")) == ["c1", "c2"]


@pytest.mark.parametrize("poison", ["a\0b", "a\ud800b", "a\udc00\0"])
async def test_a_text_that_no_database_takes_holds_up_no_other(
    trail: AuditTrail, store: AuditStore, poison: str
) -> None:
    await trail.note(entry(1, tool=poison, arguments=poison))
    await trail.write(entry(2))

    first, second = await store.of_turn("$a")
    assert first.entry.tool.startswith("a")
    assert second.entry == entry(2)


# --- append-only ---


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET outcome = 'failed'",
        "UPDATE audit SET person = '@nobody:hs.test', arguments = NULL",
        "UPDATE audit SET at = at - 1",
        "UPDATE audit SET arguments = '{}'",
        "UPDATE audit SET arguments_hash = 'x'",
        "DELETE FROM audit",
    ],
)
async def test_the_database_itself_refuses_to_change_or_remove_an_entry(
    database: Database, trail: AuditTrail, store: AuditStore, change: str
) -> None:
    await trail.write(WHOLE)

    with pytest.raises(Exception, match="audit"):
        await query(database, change)

    [kept] = await store.of_turn("$a")
    assert kept.entry == WHOLE


_COLUMNS = "(at, person, face, tool, decision, outcome, id, call)"
_SAME = "SELECT at, '@nobody:hs.test', face, tool, decision, outcome,"
TAKES_ITS_PLACE = [
    f"REPLACE INTO audit {_COLUMNS} {_SAME} {key} FROM audit"
    for key in ("id, call", "999, call", "id, 'other'")
]


async def test_sqlite_lets_nothing_take_the_place_of_an_entry(
    tmp_path: Path,
) -> None:
    opened = await open_database(f"sqlite:///{tmp_path}/audit.db")
    await migrate(opened.database)
    try:
        async with AuditTrail(opened.database, linger=NEVER) as trail:
            await trail.write(WHOLE)
        # With REPLACE no trigger hears of the row that goes.
        for change in TAKES_ITS_PLACE:
            await query(opened.database, change)

        kept = await all_of(AuditStore(opened.database))
        assert [each.entry for each in kept] == [WHOLE]
    finally:
        await opened.database.close()


async def test_postgres_refuses_to_empty_the_table(postgres_dsn: str) -> None:
    opened = await open_database(postgres_dsn)
    await migrate(opened.database)
    try:
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await query(opened.database, "TRUNCATE audit")
    finally:
        await opened.database.close()


async def test_only_what_is_older_than_its_time_is_removed(
    database: Database, store: AuditStore
) -> None:
    clock = Clock()
    async with AuditTrail(database, linger=NEVER, monotonic=clock) as trail:
        for n in range(1200):
            await trail.note(entry(n))
        clock.seconds = timedelta(days=366).total_seconds()
        await trail.note(entry(9999))

    assert await store.forget(timedelta(days=365)) == 1200
    assert await store.forget(timedelta(days=365)) == 0

    assert calls(await all_of(store)) == ["c9999"]


# --- redaction ---


def forgetting(database: Database) -> Forgetting:
    return Forgetting(database, [AuditStore(database)])


async def asked(engine: Engine) -> None:
    """A question that was answered."""
    await engine.inbox.store([trigger("$a", body=SECRET)])
    [(lease, turn)] = await engine.store.claim(LaneKind.ASK, 1)
    pending = await engine.store.begin_sending(lease, turn, 0, [message("done")])
    assert pending
    await engine.store.finish(lease, turn, "cancelled", go_on=False)


def is_stub(kept: Recorded) -> bool:
    return kept.entry == replace(WHOLE, arguments=None, arguments_hash=None)


async def test_of_a_question_that_was_taken_back_the_stub_stays(
    database: Database, trail: AuditTrail, store: AuditStore
) -> None:
    await asked(Engine(database))
    await trail.note(WHOLE)
    await trail.write(entry(2, trigger_id="$b"))

    assert await forgetting(database).forget_turn("$a") is Forgotten.DONE

    [kept] = await store.of_turn("$a")
    assert is_stub(kept)
    [other] = await store.of_turn("$b")
    assert other.entry.arguments == WHOLE.arguments


async def test_an_entry_that_is_written_after_the_redaction_is_a_stub(
    database: Database, trail: AuditTrail, store: AuditStore
) -> None:
    await asked(Engine(database))
    await trail.note(WHOLE)
    await forgetting(database).forget_turn("$a")
    await trail.flush()

    [kept] = await store.of_turn("$a")
    assert is_stub(kept)


async def test_arguments_of_words_that_were_replaced_meanwhile_are_not_kept(
    database: Database, trail: AuditTrail, store: AuditStore
) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a", body=SECRET)])
    [(_, turn)] = await engine.store.claim(LaneKind.ASK, 1)
    await trail.write(entry(1, run=turn.first_n))
    revisions = Revisions(database, [store])
    replaced = await revisions.replace(trigger("$a", body="harmless"), reopen=True)
    assert replaced is Replaced.RESTARTED
    await trail.write(entry(2, run=turn.first_n))  # by a worker that has not heard of it yet
    [(_, again)] = await engine.store.claim(LaneKind.ASK, 1)
    await trail.write(entry(3, run=again.first_n))

    kept = await store.of_turn("$a")
    assert [each.entry.arguments for each in kept] == [None, None, WHOLE.arguments]


@asynccontextmanager
async def two_of(dsn: str) -> AsyncIterator[tuple[UpgradableDatabase, UpgradableDatabase]]:
    first, second = [(await open_database(dsn)).database for _ in range(2)]
    await migrate(first)
    try:
        yield first, second
    finally:
        await first.close()
        await second.close()


async def test_an_entry_on_its_way_while_the_question_is_erased_is_a_stub(
    postgres_dsn: str,
) -> None:
    async with two_of(postgres_dsn) as (ours, theirs):
        await asked(Engine(ours))
        erase = Statements.load("lycatra_appservice.turns", "forgetting", ours.dialect)
        [turn] = await query(ours, "SELECT id FROM turn")

        async def waits() -> bool:
            waiting = await query(
                theirs,
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()",
            )
            return bool(waiting)

        async with (
            AuditTrail(theirs, linger=NEVER) as trail,
            asyncio.TaskGroup() as group,
            ours.transaction() as connection,
        ):
            await connection.execute(erase["forget_turn"], turn_id=turn["id"])
            await AuditStore(ours).forget_turn(connection, "$a")
            group.create_task(trail.write(WHOLE))
            await until(waits)

        [kept] = await AuditStore(ours).of_turn("$a")
        assert is_stub(kept)


# --- reading ---


async def test_a_change_is_one_line_in_the_list_and_two_in_its_story(
    trail: AuditTrail, store: AuditStore
) -> None:
    await trail.write(entry(1, outcome=STARTED))
    assert [each.entry.outcome for each in await store.latest(Wanted(), 9)] == [STARTED]
    await trail.write(entry(1, outcome="ok"))

    assert [each.entry.outcome for each in await store.latest(Wanted(), 9)] == ["ok"]
    story = await store.last_story(Wanted())
    assert [each.entry.outcome for each in story] == [STARTED, "ok"]


async def test_a_story_has_all_of_one_request_and_nothing_else(
    trail: AuditTrail, store: AuditStore
) -> None:
    await trail.note(entry(1, trigger_id="$other"))
    await trail.note(entry(2, ruling=Ruling.NEEDS_APPROVAL, outcome=""))
    await trail.note(entry(3, trigger_id="$other"))
    await trail.note(entry(2, ruling=Ruling.APPROVED, outcome=""))
    await trail.write(entry(4))

    story = await store.last_story(Wanted())

    assert [each.entry.ruling for each in story] == ["needs_approval", "approved", "allowed"]


async def test_entries_without_a_turn_are_a_story_of_their_own(
    trail: AuditTrail, store: AuditStore
) -> None:
    await trail.note(entry(1, trigger_id=None))
    await trail.write(entry(2, trigger_id=None))

    assert calls(await store.last_story(Wanted())) == ["c2"]


async def test_filters_hold_for_list_story_and_export(
    trail: AuditTrail, store: AuditStore
) -> None:
    await trail.note(entry(1))
    await trail.note(entry(2, person=OTHER))
    await trail.note(entry(3, tool="help", trigger_id="$b"))
    await trail.write(entry(4, room_id=RoomID("!elsewhere"), person=UserID("@otherwise:hs.test")))

    for wanted, found in {
        Wanted(person=OTHER): ["c2"],
        Wanted(beginning="@other:"): ["c2"],
        Wanted(tool="help"): ["c3"],
        Wanted(room_id=ROOM): ["c1", "c2", "c3"],
        Wanted(person=PERSON, tool="list_updates", room_id=ROOM): ["c1"],
        Wanted(since=datetime.now(UTC) + timedelta(hours=1)): [],
        Wanted(since=datetime.now(UTC) - timedelta(hours=1)): ["c1", "c2", "c3", "c4"],
    }.items():
        assert calls(await store.latest(wanted, 9)) == found
        assert calls([each async for each in store.all(wanted)]) == found
    assert calls(await store.last_story(Wanted(person=PERSON, tool="list_updates"))) == ["c1"]


async def test_the_list_has_the_latest_and_the_export_everything(
    trail: AuditTrail, store: AuditStore
) -> None:
    for n in range(1100):
        await trail.note(entry(n))
    await trail.flush()

    assert calls(await store.latest(Wanted(), 2)) == ["c1098", "c1099"]
    assert calls(await all_of(store)) == [f"c{n}" for n in range(1100)]


async def test_equal_calls_have_equal_hashes_on_every_replica_and_in_no_other_deployment(
    database_pair: tuple[UpgradableDatabase, UpgradableDatabase],
) -> None:
    first, second = database_pair
    async with AuditTrail(first) as one, AuditTrail(second) as two:
        assert one.fingerprint("x") == two.fingerprint("x") != one.fingerprint("y")
        assert len(one.fingerprint("x")) == 32
        [key] = await query(first, "SELECT key FROM audit_key")
        assert len(key["key"]) == 64
