"""A question gets other words in every state of its turn, and never two answers."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON, EventID, LaneKind, Outgoing, RoomID, SendKind
from lycatra_appservice.turns.delivery import Delivered, Dropped
from lycatra_appservice.turns.giving_up import Apologies
from lycatra_appservice.turns.known import KnownTurns
from lycatra_appservice.turns.records import (
    LaneLostError,
    Lease,
    StoredTurn,
    Trigger,
    lane_of_room,
    taken_from_worker,
    was_taken,
)
from lycatra_appservice.turns.revisions import Replaced, Revisions
from lycatra_appservice.turns.turn import Turn
from tests.contract.conftest import Replicas
from tests.support.turns import (
    FAST,
    Engine,
    Rooms,
    ScriptedHandler,
    everything,
    lane_row,
    message,
    query,
    trigger,
    turn_states,
    until,
    until_ended,
    until_true,
)

Pair = tuple[UpgradableDatabase, UpgradableDatabase]


def old(name: str = "$a") -> Trigger:
    return trigger(name, body="old")


def new(name: str = "$a", body: str = "new", kind: LaneKind = LaneKind.ASK) -> Trigger:
    return trigger(name, kind=kind, body=body)


async def claim_one(engine: Engine, kind: LaneKind = LaneKind.ASK) -> tuple[Lease, StoredTurn]:
    [(lease, turn)] = await engine.store.claim(kind, 1)
    return lease, turn


async def words_of(database: Database, name: str = "$a") -> str:
    [row] = await query(database, "SELECT input FROM turn WHERE trigger_id = :t", t=name)
    return str(json.loads(row["input"]).get("body", ""))


# --- in each state ---


async def test_a_waiting_question_gets_other_words_and_keeps_its_place(database: Database) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old(), old("$b")])

    assert await revisions.replace(new(), reopen=False) is Replaced.QUEUED

    _, turn = await claim_one(engine)
    assert (turn.trigger_id, turn.input["body"]) == ("$a", "new")


async def test_the_same_words_again_change_nothing(database: Database) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old()])
    await revisions.replace(new(), reopen=True)
    lease, turn = await claim_one(engine)
    before = await everything(database)

    assert await revisions.replace(new(), reopen=True) is Replaced.AS_IT_WAS

    assert await everything(database) == before
    assert await engine.upkeep.beat([lease]) == set()
    await engine.store.begin_sending(lease, turn, turn.first_n, [message("answer")])
    assert await revisions.replace(new(), reopen=True) is Replaced.AS_IT_WAS


async def test_a_running_question_begins_anew_and_its_old_run_writes_nothing_more(
    database_pair: Pair,
) -> None:
    engine, other = Engine(database_pair[0], "one"), Engine(database_pair[1], "two")
    await engine.inbox.store([old(), old("$b")])
    lease, turn = await claim_one(engine)
    await engine.journal.record(lease, turn, "0:look", "h", done=True, output="old")
    draft = await engine.journal.write_send(lease, turn, 0, message("draft"))
    assert draft is not None

    outcome = await Revisions(database_pair[1]).replace(new(), reopen=False)

    assert outcome is Replaced.RESTARTED
    before = await everything(database_pair[1])
    with pytest.raises(LaneLostError):
        await engine.journal.record(lease, turn, "1:look", "h", done=True, output="old")
    with pytest.raises(LaneLostError):
        await engine.journal.mark_sent(lease, draft.row, Delivered(EventID("$draft")))
    with pytest.raises(LaneLostError):
        await engine.store.begin_sending(lease, turn, 1, [message("old answer")])
    with pytest.raises(LaneLostError):
        await engine.store.finish(lease, turn, "done", go_on=True)
    assert await everything(database_pair[1]) == before
    assert await engine.upkeep.beat([lease]) == {lease}

    new_lease, again = await claim_one(other)
    assert (again.trigger_id, again.input["body"]) == ("$a", "new")
    assert (again.starts, again.failures, again.journaled) == (1, 0, False)
    assert await other.journal.steps(again) == {}
    [answer] = await other.store.begin_sending(
        new_lease, again, again.first_n, [message("new answer")]
    )
    assert answer.row.content["body"] == "new answer"
    assert answer.row.txn_id != draft.row.txn_id


async def test_a_question_that_waits_to_be_tried_again_begins_anew(database: Database) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old()])
    lease, turn = await claim_one(engine)
    await engine.journal.record(lease, turn, "0:look", "h", done=True, output="old")
    await engine.journal.write_send(lease, turn, 0, message("draft"))
    await engine.store.put_back(lease, turn, timedelta(hours=1), failed=True, error="old")

    assert await revisions.replace(new(), reopen=False) is Replaced.QUEUED

    _, again = await claim_one(engine)
    assert (again.input["body"], again.failures, again.error) == ("new", 0, None)
    assert await engine.journal.steps(again) == {}
    assert await engine.journal.open_sends(again) == []
    assert again.first_n > 0


@pytest.mark.parametrize("done", [False, True])
async def test_what_may_have_changed_the_world_is_never_begun_anew(
    database: Database, *, done: bool
) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old()])
    lease, turn = await claim_one(engine)
    await engine.journal.record(lease, turn, "0:change", "h", done=False, output=None)
    if done:
        await engine.journal.record(lease, turn, "0:change", "h", done=True, output=1)
    before = await everything(database)

    assert await revisions.replace(new(), reopen=True) is Replaced.CHANGE_STARTED
    assert await everything(database) == before
    await engine.store.put_back(lease, turn, timedelta(hours=1), failed=True)
    assert await revisions.replace(new(), reopen=True) is Replaced.CHANGE_STARTED
    assert await words_of(database) == "old"


async def test_an_answer_that_is_written_down_stands(database: Database) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old()])
    lease, turn = await claim_one(engine)
    [pending] = await engine.store.begin_sending(lease, turn, 0, [message("answer")])

    assert await revisions.replace(new(), reopen=True) is Replaced.ANSWERED
    await engine.journal.mark_sent(lease, pending.row, Delivered(EventID("$answer")))
    await engine.store.finish(lease, turn, "done", go_on=False)
    assert await revisions.replace(new(), reopen=True) is Replaced.ANSWERED

    assert await words_of(database) == "old"
    assert await turn_states(database) == {"$a": "done"}


async def test_an_apology_is_an_answer(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    async def fail(turn: Turn) -> Sequence[Outgoing]:
        raise ToolFailedError("No.")

    handler.scripts["$a"] = fail
    replica = await replicas.add(handler)
    await replica.inbox.store([old()])
    await replica.start()
    assert await until_ended(replica.database) == {"$a": "failed"}

    outcome = await Revisions(replica.database).replace(new(), reopen=True)

    assert outcome is Replaced.ANSWERED
    assert rooms.said() == ["sorry: No."]


@pytest.mark.parametrize("reopen", [False, True])
async def test_what_ended_without_a_word_is_asked_only_on_request(
    database: Database, *, reopen: bool
) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old()])
    lease, turn = await claim_one(engine)
    await engine.store.finish(lease, turn, "done", go_on=False)

    outcome = await revisions.replace(new(), reopen=reopen)

    assert outcome is (Replaced.REOPENED if reopen else Replaced.OVER)
    found = await engine.store.claim(LaneKind.ASK, 1)
    assert [turn.input["body"] for _, turn in found] == (["new"] if reopen else [])


async def test_an_answer_that_never_arrived_is_none(database: Database) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old()])
    lease, turn = await claim_one(engine)
    [pending] = await engine.store.begin_sending(lease, turn, 0, [message("answer")])
    await engine.journal.drop(lease, pending.row, "refused")
    await engine.store.finish(lease, turn, "done", go_on=False)

    assert await revisions.replace(new(), reopen=True) is Replaced.REOPENED

    lease, turn = await claim_one(engine)
    [again] = await engine.store.begin_sending(lease, turn, turn.first_n, [message("answer")])
    assert again.row.txn_id != pending.row.txn_id


async def test_an_apology_that_never_arrived_leaves_room_for_another(database: Database) -> None:
    engine, handler = Engine(database), ScriptedHandler()
    apologies = Apologies(engine.store, handler)
    await engine.inbox.store([old()])
    lease, turn = await claim_one(engine)
    [first] = await apologies.begin(lease, turn, ToolFailedError("No."))
    await engine.journal.drop(lease, first.row, "refused")
    await engine.store.finish(lease, turn, "failed", go_on=False)
    await Revisions(database).replace(new(), reopen=True)
    lease, turn = await claim_one(engine)

    [second] = await apologies.begin(lease, turn, ToolFailedError("No."))

    assert second.row.txn_id != first.row.txn_id


@pytest.mark.parametrize("running", [False, True])
async def test_what_a_person_has_stopped_stays_so(database: Database, *, running: bool) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old()])
    held = await claim_one(engine) if running else None
    await engine.revisions.cancel("$a")

    assert await revisions.replace(new(), reopen=True) is Replaced.OVER
    if held is not None:
        await engine.store.finish(*held, "cancelled", go_on=False)
    assert await revisions.replace(new(), reopen=True) is Replaced.OVER
    assert await turn_states(database) == {"$a": "cancelled"}


async def test_what_was_never_stored_is_unknown(database: Database) -> None:
    assert await Revisions(database).replace(new(), reopen=True) is Replaced.UNKNOWN
    assert [rows for rows in (await everything(database)).values() if rows] == []


# --- another kind of question ---


async def test_a_question_that_became_a_command_moves_to_the_lane_of_commands(
    database: Database,
) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old(), old("$b")])

    assert await revisions.replace(new(kind=LaneKind.COMMAND), reopen=False) is Replaced.QUEUED

    _, turn = await claim_one(engine, LaneKind.COMMAND)
    assert (turn.trigger_id, turn.input["body"]) == ("$a", "new")
    assert (await claim_one(engine))[1].trigger_id == "$b"
    [lane] = await query(database, "SELECT kind FROM lane WHERE key = :key", key=turn.lane)
    assert lane["kind"] == "command"


async def test_a_running_question_that_moves_leaves_its_lane_to_the_next(
    database: Database,
) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old(), old("$b")])
    lease, turn = await claim_one(engine)

    assert await revisions.replace(new(kind=LaneKind.COMMAND), reopen=False) is Replaced.RESTARTED

    with pytest.raises(LaneLostError):
        await engine.store.finish(lease, turn, "done", go_on=True)
    assert (await claim_one(engine))[1].trigger_id == "$b"
    assert (await claim_one(engine, LaneKind.COMMAND))[1].input["body"] == "new"


async def test_who_leaves_in_a_back_off_holds_up_nobody_there(database: Database) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old(), old("$b")])
    lease, turn = await claim_one(engine)
    await engine.store.put_back(lease, turn, timedelta(hours=1), failed=True)

    await revisions.replace(new(kind=LaneKind.COMMAND), reopen=False)

    assert (await claim_one(engine))[1].trigger_id == "$b"


async def test_questions_that_change_places_at_once_do_not_lock_each_other_out(
    database_pair: Pair,
) -> None:
    engine = Engine(database_pair[0])
    a_to_z = Trigger(id="$1", lane="!z|ask", kind=LaneKind.ASK, input='{"to": "z"}')
    z_to_a = Trigger(id="$2", lane="!a|ask", kind=LaneKind.ASK, input='{"to": "a"}')
    for n in range(15):
        there, back = f"${n}.1", f"${n}.2"
        await engine.inbox.store([trigger(there, "!a"), trigger(back, "!z")])
        async with asyncio.timeout(20):
            outcomes = await asyncio.gather(
                Revisions(database_pair[0]).replace(replace(a_to_z, id=there), reopen=False),
                Revisions(database_pair[1]).replace(replace(z_to_a, id=back), reopen=False),
                engine.revisions.cancel(f"${n - 1}.1"),
            )
        assert set(outcomes[:2]) == {Replaced.QUEUED}


# --- all or nothing ---


class Memo:
    """Something else that remembers turns; `fails` when it is to forget."""

    def __init__(self, *, fails: bool = False) -> None:
        self.forgotten: list[str] = []
        self._fails = fails

    async def remembers(self, trigger_id: str) -> bool:
        return trigger_id not in self.forgotten

    async def forget_turn(self, connection: Connection, trigger_id: str) -> None:
        self.forgotten.append(trigger_id)
        if self._fails:
            raise ConnectionResetError


async def test_what_else_is_kept_of_the_old_words_goes_with_them(database: Database) -> None:
    engine, memo = Engine(database), Memo()
    revisions = Revisions(database, [memo])
    await engine.inbox.store([old()])

    await revisions.replace(new(), reopen=False)
    await revisions.replace(new(), reopen=False)

    assert memo.forgotten == ["$a"]


async def test_who_breaks_off_half_way_has_changed_nothing(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([old()])
    lease, turn = await claim_one(engine)
    await engine.journal.record(lease, turn, "0:look", "h", done=True, output="old")
    before = await everything(database)

    with pytest.raises(ConnectionResetError):
        await Revisions(database, [Memo(fails=True)]).replace(new(), reopen=False)

    assert await everything(database) == before
    await engine.store.begin_sending(lease, turn, 0, [message("old answer")])


async def test_an_answer_and_other_words_at_once_never_both_count(database_pair: Pair) -> None:
    engine, revisions = Engine(database_pair[0]), Revisions(database_pair[1])
    seen = set()
    for n in range(30):
        name = f"${n}"
        await engine.inbox.store([old(name)])
        lease, turn = await claim_one(engine)

        async def answer(lease: Lease = lease, turn: StoredTurn = turn) -> bool:
            if turn.id % 2:
                await asyncio.sleep(0)
            try:
                await engine.store.begin_sending(lease, turn, 0, [message("old answer")])
            except LaneLostError:
                return False
            return True

        async with asyncio.timeout(20):
            answered, outcome = await asyncio.gather(
                answer(), revisions.replace(new(name), reopen=False)
            )
        assert outcome is (Replaced.ANSWERED if answered else Replaced.RESTARTED)
        seen.add(outcome)
        if not answered:
            lease, turn = await claim_one(engine)
        await engine.store.finish(lease, turn, "done", go_on=False)
    assert seen


@pytest.mark.parametrize("restarts", [1, 3])
async def test_no_transaction_id_is_used_twice_however_often_words_change(
    database: Database, restarts: int
) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([old()])
    for n in range(restarts):
        lease, turn = await claim_one(engine)
        for row in range(n % 2):  # also a run that sends nothing
            await engine.journal.write_send(lease, turn, turn.first_n + row, message("draft"))
        assert await revisions.replace(new(body=str(n)), reopen=False) is Replaced.RESTARTED
    lease, turn = await claim_one(engine)

    answer = [message("one"), message("two")]
    pending = await engine.store.begin_sending(lease, turn, turn.first_n, answer)

    assert [each.row.content["body"] for each in pending] == ["one", "two"]
    assert all(each.is_new for each in pending)


# --- whole workers ---


@pytest.fixture
def handler() -> ScriptedHandler:
    return ScriptedHandler()


class Slow:
    """Answers with its words; the first run waits, and sees when it is interrupted."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.interrupted = asyncio.Event()
        self.runs = 0

    async def __call__(self, turn: Turn) -> Sequence[Outgoing]:
        self.runs += 1
        draft = await turn.send(message(f"draft {self.runs}"))
        if self.runs == 1:
            await turn.step("0:look", self._look)
            self.entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.interrupted.set()
        assert draft is not None
        edit = replace(message(str(turn.input["body"])), kind=SendKind.EDIT, target_n=0)
        return [edit]

    async def _look(self) -> JSON:
        return "old"


async def started(signal: asyncio.Event) -> None:
    async with asyncio.timeout(20):
        await signal.wait()


@pytest.mark.parametrize("listening", [True, False])
async def test_a_running_worker_is_interrupted_and_answers_the_new_words_once(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, *, listening: bool
) -> None:
    slow = handler.scripts["$a"] = Slow()
    beat = timedelta(minutes=5) if listening else FAST.beat  # who hears the hint needs no beat
    replica = await replicas.add(handler, timing=replace(FAST, beat=beat))
    await replica.inbox.store([old(), old("$b")])
    await replica.start(listening=listening)
    await started(slow.entered)

    assert await Revisions(replica.database).replace(new(), reopen=False) is Replaced.RESTARTED

    await started(slow.interrupted)
    assert await until_ended(replica.database) == {"$a": "done", "$b": "done"}
    assert rooms.said() == ["draft 1", "draft 2", "new", "answer to $b"]
    assert rooms.timeline[2].target == "$event-2"  # of its own run
    txn_ids = [row.txn_id for row in rooms.timeline]
    assert len(set(txn_ids)) == len(txn_ids)


async def test_another_replica_may_change_the_words_and_a_third_one_answer(
    postgres_replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    slow = handler.scripts["$a"] = Slow()
    first = await postgres_replicas.add(handler)
    await first.inbox.store([old()])
    await first.start()
    await started(slow.entered)
    second, third = [await postgres_replicas.add(handler) for _ in range(2)]
    await third.start()

    outcomes = await asyncio.gather(
        Revisions(second.database).replace(new(), reopen=False),
        Revisions(third.database).replace(new(), reopen=False),
    )

    assert sorted(outcomes) == [Replaced.AS_IT_WAS, Replaced.RESTARTED]
    assert await until_ended(second.database) == {"$a": "done"}
    await started(slow.interrupted)
    assert [body for body in rooms.said() if not body.startswith("draft")] == ["new"]


async def test_a_worker_that_died_meanwhile_leaves_the_new_words_to_its_heir(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    slow = handler.scripts["$a"] = Slow()
    replica = await replicas.add(handler)
    await replica.inbox.store([old()])
    await replica.start()
    await started(slow.entered)
    await replica.crash()

    outcome = await Revisions(replica.database).replace(new(), reopen=False)

    assert outcome is Replaced.RESTARTED
    heir = await replicas.add(handler)
    await heir.start()
    assert await until_ended(heir.database) == {"$a": "done"}
    assert rooms.said() == ["draft 1", "draft 2", "new"]


async def test_a_run_that_began_anew_survives_a_crash_with_its_own_numbers(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    crashing = asyncio.Event()
    entered = asyncio.Event()
    drafts: list[EventID | None] = []

    async def drafting(turn: Turn) -> Sequence[Outgoing]:
        drafts.append(await turn.send(message("draft")))
        if turn.input["body"] == "new" and len(drafts) == 2:
            crashing.set()
            await asyncio.Event().wait()
        if turn.input["body"] == "old":
            entered.set()
            await asyncio.Event().wait()
        return [message("answer")]

    handler.scripts["$a"] = drafting
    replica = await replicas.add(handler)
    await replica.inbox.store([old()])
    await replica.start()
    await started(entered)
    await Revisions(replica.database).replace(new(), reopen=False)
    await started(crashing)
    await replica.crash()
    await replica.forget_leases()

    heir = await replicas.add(handler)
    await heir.start()

    await until_ended(heir.database)
    assert rooms.said() == ["draft", "draft", "answer"]
    assert drafts[1] == drafts[2] != drafts[0]


async def test_a_hint_that_comes_late_stops_no_newer_run(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    slow = handler.scripts["$a"] = Slow()
    replica = await replicas.add(handler, timing=replace(FAST, beat=timedelta(minutes=5)))
    await replica.inbox.store([old()])
    await replica.start()
    await started(slow.entered)
    lane = await lane_row(replica.database)

    async with replica.database.transaction() as connection:
        for fence in range(lane["fence"] + 1):
            await connection.notify("lycatra_cancel", taken_from_worker(lane["key"], fence))
        await connection.notify("lycatra_cancel", taken_from_worker("!other|ask", 99))
        await connection.notify("lycatra_cancel", "")
    await replica.inbox.store([trigger("$c", "!c")])
    await until_ended(replica.database, "$c")  # the hints came before that of this one

    assert not slow.interrupted.is_set()
    await replica.revisions.cancel("$a")
    await until_ended(replica.database)


def test_a_lease_is_taken_by_a_higher_fence_of_its_own_lane() -> None:
    lease = Lease("!room with a space|ask", LaneKind.ASK, 7)

    assert was_taken(lease, taken_from_worker(lease.lane, 8))
    assert not was_taken(lease, taken_from_worker(lease.lane, 7))
    assert not was_taken(lease, taken_from_worker("!other|ask", 8))
    assert not was_taken(lease, "8")
    assert not was_taken(lease, "")


# --- looking ---


async def test_what_is_open_in_a_room_is_found_in_all_its_lanes_and_nowhere_else(
    database: Database,
) -> None:
    engine = Engine(database)
    thread = Trigger(
        id="$thread",
        lane=lane_of_room(RoomID("!room"), LaneKind.ASK, EventID("$root")),
        kind=LaneKind.ASK,
        input="{}",
    )
    await engine.inbox.store(
        [
            old(),
            thread,
            new("$command", kind=LaneKind.COMMAND),
            trigger("$elsewhere", "!room2"),
            trigger("$wild", "!roo_"),
            trigger("$done"),
        ]
    )
    await engine.revisions.cancel("$done")

    found = await KnownTurns(database).open_in(RoomID("!room"))

    assert [each.trigger_id for each in found] == ["$a", "$thread", "$command"]
    assert found[0].input["body"] == "old"
    assert all(each.is_open for each in found)
    assert [each.kind for each in found] == [LaneKind.ASK, LaneKind.ASK, LaneKind.COMMAND]
    assert await KnownTurns(database).open_in(RoomID("!roo%")) == []


async def test_a_message_of_ours_is_found_with_its_turn(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([old()])
    lease, turn = await claim_one(engine)
    pending = await engine.store.begin_sending(lease, turn, 0, [message("one"), message("two")])
    await engine.journal.mark_sent(lease, pending[0].row, Delivered(EventID("$one")))
    await engine.journal.drop(lease, pending[1].row, Dropped("refused").why)
    await engine.store.finish(lease, turn, "done", go_on=False)

    found = await KnownTurns(database).find_message(EventID("$one"))

    assert found is not None
    assert (found.sender, found.content["body"]) == ("@lycatra:example.org", "one")
    assert (found.turn.trigger_id, found.turn.is_open) == ("$a", False)
    assert (found.n, found.room_id) == (0, "!room")
    assert await KnownTurns(database).find_message(EventID("$a")) is None
    assert await KnownTurns(database).find("$one") is None


async def test_what_another_turn_has_journaled_can_be_read(database: Database) -> None:
    engine, known = Engine(database), KnownTurns(database)
    await engine.inbox.store([old()])
    lease, turn = await claim_one(engine)
    await engine.journal.record(lease, turn, "0:look", "h", done=True, output=["x"])
    await engine.journal.record(lease, turn, "1:change", "h", done=False, output=None)

    assert await known.journaled("$a", "0:look") == ["x"]
    assert await known.journaled("$a", "1:change") is None
    assert await known.journaled("$b", "0:look") is None


async def test_an_interrupted_worker_has_a_free_slot_again(
    replicas: Replicas, handler: ScriptedHandler
) -> None:
    slow = handler.scripts["$a"] = Slow()
    replica = await replicas.add(handler)
    await replica.inbox.store([old()])
    await replica.start()
    await started(slow.entered)
    await Revisions(replica.database).replace(new(), reopen=False)
    await until_ended(replica.database)

    async def is_free() -> bool:
        return not await query(replica.database, "SELECT 1 FROM lane WHERE owner IS NOT NULL")

    await until(is_free)
    await until_true(lambda: replica.figures.outcomes.count("done") == 1)
    assert replica.figures.recovered_lanes == 0
