"""A lane belongs to one worker at a time, goes in order, and is never left behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.migrate import UpgradableDatabase, migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.db.postgres_signals import PostgresSignals
from lycatra_appservice.model import LaneKind, UserID
from lycatra_appservice.turns.delivery import Amended, Delivered, SendRow
from lycatra_appservice.turns.records import (
    JOURNAL_MAX,
    ORPHANED,
    CancelledByPersonError,
    LaneLostError,
    Lease,
    StoredTurn,
)
from lycatra_appservice.turns.store import TurnStore
from tests.support.turns import (
    LEASE,
    Engine,
    everything,
    lane_row,
    message,
    query,
    trigger,
    turn_states,
    until,
    until_true,
)

Pair = tuple[UpgradableDatabase, UpgradableDatabase]
FOREIGN_JOURNAL = JOURNAL_MAX + 1


@pytest.fixture
async def postgres(postgres_dsn: str) -> AsyncIterator[UpgradableDatabase]:
    database = (await open_database(postgres_dsn)).database
    await migrate(database)
    yield database
    await database.close()


async def claim_one(engine: Engine) -> tuple[Lease, StoredTurn]:
    [(lease, turn)] = await engine.store.claim(LaneKind.ASK, 1)
    return lease, turn


async def end_leases(database: Database) -> None:
    await query(database, "UPDATE lane SET lease_until = 0 WHERE owner IS NOT NULL")


# --- claiming ---


async def test_two_workers_never_get_the_same_lane(database_pair: Pair) -> None:
    first, second = Engine(database_pair[0], "one"), Engine(database_pair[1], "two")
    await first.inbox.store([trigger(f"${n}", room=f"!{n}") for n in range(40)])

    async with asyncio.timeout(20):
        claims = await asyncio.gather(
            *(engine.store.claim(LaneKind.ASK, 5) for engine in (first, second) * 4)
        )

    lanes = [lease.lane for claim in claims for lease, _ in claim]
    assert len(lanes) == len(set(lanes)) == 40


async def test_a_claim_takes_no_more_than_asked_and_the_longest_ready_first(
    database: Database,
) -> None:
    engine = Engine(database)
    for n in range(5):
        await engine.inbox.store([trigger(f"${n}", room=f"!{n}")])
        await query(
            database,
            "UPDATE lane SET ready_at = ready_at - 1000 * :age WHERE key = :key",
            age=n,
            key=f"!{n}|ask",
        )

    claimed = await engine.store.claim(LaneKind.ASK, 2)

    assert {turn.trigger_id for _, turn in claimed} == {"$4", "$3"}


async def test_only_the_kind_that_is_asked_for_is_claimed(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a"), trigger("$c", kind=LaneKind.COMMAND)])

    assert set(await engine.store.ready_kinds()) == {LaneKind.ASK, LaneKind.COMMAND}
    [(_, turn)] = await engine.store.claim(LaneKind.COMMAND, 9)
    assert turn.trigger_id == "$c"
    assert await engine.store.ready_kinds() == [LaneKind.ASK]


async def test_the_turns_of_a_lane_come_in_the_order_of_the_push(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$b"), trigger("$a")])
    await engine.inbox.store([trigger("$c")])
    lease, turn = await claim_one(engine)

    order = [turn.trigger_id]
    while following := await engine.store.finish(lease, turn, "done", go_on=True):
        turn = following
        order.append(turn.trigger_id)

    assert order == ["$b", "$a", "$c"]
    lane = await lane_row(database)
    assert (lane["owner"], lane["ready_at"]) == (None, None)


async def test_a_lane_given_back_with_turns_left_is_ready_at_once(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a"), trigger("$b")])
    lease, turn = await claim_one(engine)

    assert await engine.store.finish(lease, turn, "done", go_on=False) is None

    assert (await claim_one(engine))[1].trigger_id == "$b"


async def test_a_turn_ended_twice_has_ended_as_the_first_time(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a"), trigger("$b")])
    lease, turn = await claim_one(engine)

    for state in ("done", "failed"):
        following = await engine.store.finish(lease, turn, state, go_on=True)
        assert following is not None
        assert following.trigger_id == "$b"
    assert await turn_states(database) == {"$a": "done", "$b": "running"}


# --- back-off ---


async def test_a_turn_in_back_off_holds_up_its_lane_without_holding_it(
    database: Database,
) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a"), trigger("$b")])
    lease, turn = await claim_one(engine)

    await engine.store.put_back(lease, turn, timedelta(hours=1), failed=True, error="why")

    lane = await lane_row(database)
    assert lane["owner"] is None
    assert 3_500_000 < lane["ready_in_ms"] <= 3_600_000
    assert await engine.store.claim(LaneKind.ASK, 9) == []


async def test_what_comes_during_a_back_off_waits_and_the_lane_is_not_kept(
    database: Database,
) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a")])
    lease, turn = await claim_one(engine)
    await engine.store.put_back(lease, turn, timedelta(hours=1), failed=True)
    run_at = (await lane_row(database))["ready_at"]

    await engine.inbox.store([trigger("$b")])
    assert await engine.store.claim(LaneKind.ASK, 9) == []

    lane = await lane_row(database)
    assert (lane["owner"], lane["ready_at"]) == (None, run_at)
    await query(database, "UPDATE turn SET run_at = 0")
    await query(database, "UPDATE lane SET ready_at = 0")
    _, again = await claim_one(engine)
    assert (again.trigger_id, again.failures, again.starts) == ("$a", 1, 1)


async def test_a_failure_counts_and_a_hand_over_does_not(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a")])

    lease, turn = await claim_one(engine)
    await engine.store.put_back(lease, turn, timedelta(0), failed=False)
    lease, turn = await claim_one(engine)
    assert (turn.failures, turn.starts) == (0, 1)
    await end_leases(database)
    await engine.upkeep.free_dead()
    _, turn = await claim_one(engine)
    assert (turn.failures, turn.starts) == (0, 2)


# --- lost wake-up (T1) ---


class HastyStore(TurnStore):
    """Decides about a lane without locking it in a statement of its own first."""

    async def _lock(self, connection: Connection, lease: Lease) -> None:
        pass


@pytest.mark.parametrize(("store", "found"), [(TurnStore, True), (HastyStore, False)])
async def test_a_turn_committed_while_its_lane_is_given_back_wakes_it(
    postgres: Database, postgres_dsn: str, store: type[TurnStore], *, found: bool
) -> None:
    engine = Engine(postgres)
    engine.store = store(postgres, "one", LEASE)
    await engine.inbox.store([trigger("$a")])
    lease, turn = await claim_one(engine)
    pusher = await asyncpg.connect(postgres_dsn)
    async with asyncio.timeout(20):
        async with pusher.transaction():
            await pusher.execute(
                "INSERT INTO turn (lane, trigger_id, run_at, created_at, input)"
                " VALUES ($1, '$b', lycatra_now(), lycatra_now() - 60000, '{}')",
                lease.lane,
            )
            await pusher.execute("UPDATE lane SET ready_at = ready_at WHERE key = $1", lease.lane)
            leaving = asyncio.create_task(engine.store.finish(lease, turn, "done", go_on=False))
            await until(lambda: somebody_waits_for_a_lock(postgres))
        await leaving
    await pusher.close()

    assert ((await lane_row(postgres))["ready_at"] is not None) is found
    assert await engine.upkeep.sweep() == (0 if found else 1)
    assert (await claim_one(engine))[1].trigger_id == "$b"


async def somebody_waits_for_a_lock(database: Database) -> bool:
    waiting = await query(database, "SELECT 1 FROM pg_locks WHERE NOT granted")
    return bool(waiting)


# --- fencing (T3) ---

Write = Callable[[Engine, Lease, StoredTurn, SendRow], Awaitable[object]]
WRITES: dict[str, Write] = {
    "begin_sending": lambda e, lease, turn, row: e.store.begin_sending(
        lease, turn, 5, [message("zombie")]
    ),
    "finish": lambda e, lease, turn, row: e.store.finish(lease, turn, "failed", go_on=True),
    "put_back": lambda e, lease, turn, row: e.store.put_back(
        lease, turn, timedelta(hours=1), failed=True
    ),
    "record started": lambda e, lease, turn, row: e.journal.record(
        lease, turn, "s", "h", done=False, output=None
    ),
    "record done": lambda e, lease, turn, row: e.journal.record(
        lease, turn, "s", "h", done=True, output=1
    ),
    "write_send": lambda e, lease, turn, row: e.journal.write_send(
        lease, turn, 7, message("zombie")
    ),
    "mark_sent": lambda e, lease, turn, row: e.journal.mark_sent(lease, row, Delivered(None)),
    "amend": lambda e, lease, turn, row: e.journal.amend(
        lease, turn, row, Amended(UserID("@z:z"), {}, "")
    ),
    "keep_mxc": lambda e, lease, turn, row: e.journal.keep_mxc(lease, row, "mxc://a/b"),
    "drop": lambda e, lease, turn, row: e.journal.drop(lease, row, "zombie"),
    "drop_room": lambda e, lease, turn, row: e.journal.drop_room(lease, row, "zombie"),
    "count_attempt": lambda e, lease, turn, row: e.journal.count_attempt(lease, row),
}


@pytest.mark.parametrize("same_owner", [False, True])
async def test_who_has_lost_a_lane_writes_nothing_any_more(
    database_pair: Pair, *, same_owner: bool
) -> None:
    zombie = Engine(database_pair[0], "zombie")
    heir = Engine(database_pair[1], "zombie" if same_owner else "heir")
    await zombie.inbox.store([trigger("$a"), trigger("$b")])
    lease, turn = await claim_one(zombie)
    pending = await zombie.journal.write_send(lease, turn, 0, message("draft"))
    assert pending is not None
    await end_leases(database_pair[1])
    assert await heir.upkeep.free_dead() == 1
    new_lease, _ = await claim_one(heir)
    before = await everything(database_pair[1])

    for name, write in WRITES.items():
        with pytest.raises(LaneLostError, match=r"no longer ours"):
            await write(zombie, lease, turn, pending.row)
        assert await everything(database_pair[1]) == before, name
    assert await zombie.upkeep.beat([lease]) == {lease}
    assert await heir.upkeep.beat([new_lease]) == set()


async def test_a_worker_that_gave_its_lane_back_has_not_lost_it(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a"), trigger("$b", room="!other")])
    [(one, turn), (other, _)] = await engine.store.claim(LaneKind.ASK, 2)
    await engine.store.finish(one, turn, "done", go_on=True)

    assert await engine.upkeep.beat([one, other]) == set()


# --- dead owners (T2, section 5) ---


async def test_a_lane_is_free_when_its_lease_has_ended_and_not_before(
    database_pair: Pair,
) -> None:
    first = Engine(database_pair[0], "one")
    await first.inbox.store([trigger("$a")])
    lease, _ = await claim_one(first)
    assert await first.upkeep.free_dead() == 0

    await end_leases(database_pair[0])
    assert await first.upkeep.beat([lease]) == set()
    assert await first.upkeep.free_dead() == 0

    await end_leases(database_pair[0])
    assert await first.upkeep.free_dead() == 1
    assert (await claim_one(Engine(database_pair[1], "two")))[1].trigger_id == "$a"


async def test_the_only_worker_of_a_file_frees_what_another_process_has_left(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'lycatra.db'}"
    before = (await open_database(url)).database
    await migrate(before)
    await Engine(before).inbox.store([trigger("$a")])
    await claim_one(Engine(before, "before"))
    await before.close()

    database = (await open_database(url)).database
    after = Engine(database, "after")
    assert await after.upkeep.free_dead() == 1
    assert (await claim_one(after))[1].starts == 2
    await database.close()


async def test_an_owner_whose_listening_connection_is_gone_is_dead_before_its_lease_ends(
    postgres: Database, postgres_dsn: str
) -> None:
    lease_span = timedelta(seconds=6)
    owner = Engine(postgres, "owner-1", lease_span)
    other = Engine(postgres, "other-1", lease_span)
    await owner.inbox.store([trigger("$a")])
    listening = asyncio.create_task(PostgresSignals(postgres_dsn, "owner-1").run())
    await until(lambda: is_connected(postgres, "owner-1"))
    await until(lambda: has_run_for(postgres, lease_span))
    await claim_one(owner)

    # The last beat is three seconds old; three are left.
    await query(postgres, "UPDATE lane SET lease_until = lease_until - 3000")
    assert await other.upkeep.free_dead() == 0
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)

    async def freed() -> bool:
        [row] = await query(postgres, "SELECT lease_until > lycatra_now() AS held FROM lane")
        assert row["held"], "its lease has ended, which proves nothing"
        return await other.upkeep.free_dead() == 1

    await until(freed)


async def test_a_fresh_beat_counts_more_than_a_missing_connection(postgres: Database) -> None:
    engine = Engine(postgres, "never-connected", timedelta(seconds=3))
    await engine.inbox.store([trigger("$a")])
    await until(lambda: has_run_for(postgres, timedelta(seconds=3)))
    lease, _ = await claim_one(engine)
    await engine.upkeep.beat([lease])

    assert await engine.upkeep.free_dead() == 0


async def is_connected(database: Database, owner: str) -> bool:
    return bool(
        await query(
            database, "SELECT 1 FROM pg_stat_activity WHERE application_name = :owner", owner=owner
        )
    )


async def has_run_for(database: Database, span: timedelta) -> bool:
    [row] = await query(
        database,
        "SELECT statement_timestamp() - CAST(:span AS interval) > pg_postmaster_start_time() AS y",
        span=span,
    )
    return bool(row["y"])


async def test_a_worker_paused_inside_a_transaction_keeps_its_lane_no_longer_than_the_server_lets(
    postgres: Database, postgres_dsn: str
) -> None:
    engine = Engine(postgres)
    await engine.inbox.store([trigger("$a")])
    await claim_one(engine)
    await end_leases(postgres)
    [limit] = await query(postgres, "SHOW idle_in_transaction_session_timeout")
    assert limit["idle_in_transaction_session_timeout"] == "3s"
    paused = await asyncpg.connect(
        postgres_dsn, server_settings={"idle_in_transaction_session_timeout": "300"}
    )
    await paused.execute("BEGIN")
    await paused.execute("SELECT 1 FROM lane FOR UPDATE")
    assert await engine.upkeep.free_dead() == 0

    async def freed() -> bool:
        return await engine.upkeep.free_dead() == 1

    await until(freed)
    await until_true(paused.is_closed)


# --- cancelling ---


async def test_a_queued_turn_is_cancelled_at_once_and_the_next_one_comes(
    database: Database,
) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a"), trigger("$b")])

    assert await engine.revisions.cancel("$a")

    assert (await claim_one(engine))[1].trigger_id == "$b"
    assert await turn_states(database) == {"$a": "cancelled", "$b": "running"}


async def test_a_cancelled_back_off_holds_up_nobody(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a"), trigger("$b")])
    lease, turn = await claim_one(engine)
    await engine.journal.write_send(lease, turn, 0, message("draft"))
    await engine.store.put_back(lease, turn, timedelta(hours=1), failed=True)

    assert await engine.revisions.cancel("$a")

    assert (await claim_one(engine))[1].trigger_id == "$b"
    assert (await engine.upkeep.figures())[1] == 0  # its draft is not waited for


async def test_a_running_turn_is_asked_to_stop_and_says_nothing_more(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a"), trigger("$b")])
    lease, turn = await claim_one(engine)
    await engine.journal.write_send(lease, turn, 0, message("draft"))
    assert not await engine.journal.is_cancel_requested(turn)

    assert await engine.revisions.cancel("$a")

    assert await engine.journal.is_cancel_requested(turn)
    with pytest.raises(CancelledByPersonError):
        await engine.store.begin_sending(lease, turn, 1, [message("answer")])
    following = await engine.store.finish(lease, turn, "cancelled", go_on=True)
    assert following is not None
    assert following.trigger_id == "$b"
    assert await engine.journal.open_sends(turn) == []


async def test_what_has_ended_or_never_was_cannot_be_cancelled(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a")])
    lease, turn = await claim_one(engine)
    await engine.store.finish(lease, turn, "done", go_on=False)

    assert not await engine.revisions.cancel("$a")
    assert not await engine.revisions.cancel("$never")
    assert await turn_states(database) == {"$a": "done"}


# --- journals of other versions (T10) ---


async def journaled_elsewhere(engine: Engine) -> None:
    """Leave a lane whose head another version has begun, and that is ready."""
    await engine.inbox.store([trigger("$a"), trigger("$b")])
    lease, turn = await claim_one(engine)
    await engine.journal.record(lease, turn, "s", "h", done=False, output=None)
    await query(
        engine.database,
        "UPDATE turn SET journal_ver = :v WHERE trigger_id = '$a'",
        v=FOREIGN_JOURNAL,
    )
    await end_leases(engine.database)
    await engine.upkeep.free_dead()


async def newer_replica(database: Database, seen_ago: timedelta) -> None:
    await query(
        database,
        "INSERT INTO replica (id, journal_min, journal_max, started_at, seen_at)"
        " VALUES ('newer', 1, :version, 0, lycatra_now() - :ago_ms)",
        version=FOREIGN_JOURNAL,
        ago_ms=seen_ago // timedelta(milliseconds=1),
    )


async def test_a_journal_of_a_newer_version_is_left_to_it(database: Database) -> None:
    engine = Engine(database)
    await journaled_elsewhere(engine)
    await newer_replica(database, timedelta(seconds=50))

    assert await engine.store.claim(LaneKind.ASK, 9) == []

    lane = await lane_row(database)
    assert lane["owner"] is None
    assert 0 < lane["ready_in_ms"] <= 1000  # looked at again soon, without spinning
    assert await turn_states(database) == {"$a": "running", "$b": "queued"}


async def test_a_journal_that_nobody_can_replay_is_given_up_after_a_minute(
    database: Database,
) -> None:
    engine = Engine(database)
    await engine.upkeep.register()
    await journaled_elsewhere(engine)
    await newer_replica(database, timedelta(seconds=61))

    assert await engine.store.claim(LaneKind.ASK, 9) == []

    _, turn = await claim_one(engine)
    assert (turn.trigger_id, turn.error) == ("$a", ORPHANED)


async def test_a_replica_that_has_just_ended_is_waited_for(database: Database) -> None:
    engine, newer = Engine(database), Engine(database, "newer")
    await journaled_elsewhere(engine)
    await newer_replica(database, timedelta(seconds=61))
    await newer.upkeep.unregister()

    assert await engine.store.claim(LaneKind.ASK, 9) == []

    assert (await lane_row(database))["ready_in_ms"] > 0


async def test_what_was_only_queued_runs_on_any_version(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a")])

    assert (await claim_one(engine))[1].journaled is False


async def test_an_answer_that_is_written_down_goes_out_on_any_version(database: Database) -> None:
    engine = Engine(database)
    await journaled_elsewhere(engine)
    await query(database, "UPDATE turn SET state = 'sending' WHERE trigger_id = '$a'")

    _, turn = await claim_one(engine)

    assert (turn.trigger_id, turn.state) == ("$a", "sending")


# --- sweeping and forgetting ---


@pytest.mark.parametrize(
    "damage", ["UPDATE lane SET ready_at = NULL", "DELETE FROM lane"], ids=["asleep", "gone"]
)
async def test_a_stranded_lane_is_found_and_counted(database: Database, damage: str) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a")])
    await query(database, "UPDATE turn SET created_at = created_at - 60000")
    assert await engine.upkeep.sweep() == 0

    await query(database, damage)

    assert await engine.upkeep.sweep() == 1
    assert await engine.upkeep.sweep() == 0
    assert (await claim_one(engine))[1].trigger_id == "$a"


async def ended_turn(engine: Engine) -> None:
    await engine.inbox.store([trigger("$a", body="secret")])
    lease, turn = await claim_one(engine)
    await engine.journal.record(lease, turn, "s", "h", done=True, output="secret")
    pending = await engine.store.begin_sending(lease, turn, 0, [message("secret")])
    await engine.journal.mark_sent(lease, pending[0].row, Delivered(None))
    await engine.store.finish(lease, turn, "done", go_on=True)


async def forget(engine: Engine, turns: timedelta, sends: timedelta) -> Mapping[str, int]:
    return await engine.upkeep.forget(turns=turns, sends=sends, dead_letters=turns)


@pytest.mark.parametrize("empty_input", [False, True])
async def test_texts_go_first_and_what_a_redaction_needs_stays_longer(
    database: Database, *, empty_input: bool
) -> None:
    engine = Engine(database)
    await ended_turn(engine)
    if empty_input:
        await query(database, "UPDATE turn SET input = '{}'")
    day = timedelta(days=1)

    assert await forget(engine, day, 2 * day) == {
        "texts": 0,
        "turns": 0,
    }
    assert "secret" in str(await everything(database))
    await query(database, "UPDATE turn SET finished_at = finished_at - 90000000")
    assert await forget(engine, day, 2 * day) == {
        "texts": 1,
        "turns": 0,
    }
    assert await forget(engine, day, 2 * day) == {
        "texts": 0,
        "turns": 0,
    }

    assert "secret" not in str(await everything(database))
    [send] = await query(database, "SELECT trigger_id, room, sender FROM send")
    assert send == {"trigger_id": "$a", "room": "!room", "sender": "@lycatra:example.org"}
    assert await engine.inbox.store([trigger("$a")]) == 0


async def test_a_lane_is_forgotten_only_with_the_last_of_its_turns(database: Database) -> None:
    engine = Engine(database)
    await ended_turn(engine)
    none = timedelta(0)

    await forget(engine, none, timedelta(days=1))
    assert await query(database, "SELECT fence FROM lane") == [{"fence": 1}]
    await query(database, "UPDATE turn SET finished_at = finished_at - 1")
    await forget(engine, none, none)

    assert [rows for rows in (await everything(database)).values() if rows] == []


async def test_what_is_not_finished_is_never_forgotten(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a"), trigger("$b", room="!other")])
    await claim_one(engine)
    await query(database, "UPDATE turn SET created_at = 0, run_at = 0")
    before = await everything(database)

    await forget(engine, timedelta(0), timedelta(0))

    assert await everything(database) == before


async def test_more_is_forgotten_than_fits_in_a_batch(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger(f"${n}", body="text") for n in range(1500)])
    await query(database, "UPDATE turn SET state = 'done', finished_at = 0")

    day = timedelta(days=1)
    assert await forget(engine, day, day) == {
        "texts": 1500,
        "turns": 1500,
    }


async def test_the_figures_tell_what_is_open(database: Database) -> None:
    engine = Engine(database)
    assert await engine.upkeep.figures() == ({}, 0, 0.0)
    await engine.inbox.store(
        [trigger("$a"), trigger("$b"), trigger("$c", room="!c", kind=LaneKind.COMMAND)]
    )
    lease, turn = await claim_one(engine)
    await engine.store.begin_sending(lease, turn, 0, [message("one"), message("two")])
    await query(database, "UPDATE lane SET ready_at = ready_at - 5000")

    turns, unsent, oldest = await engine.upkeep.figures()

    assert turns == {("sending", "ask"): 1, ("queued", "ask"): 1, ("queued", "command"): 1}
    assert unsent == 2
    assert oldest >= 5
