"""Whole workers: every message is answered once and in order, whatever breaks."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from lycatra_appservice.errors import (
    InterruptedByUpdateError,
    OutcomeUnknownError,
    StoreUnavailableError,
    ToolFailedError,
)
from lycatra_appservice.matrix.calls import REQUEST_TIMEOUT
from lycatra_appservice.model import JSON, EventID, LaneKind, Outgoing, SendKind, UserID
from lycatra_appservice.turns.delivery import (
    Amended,
    Delivered,
    Delivery,
    Dropped,
    RetryLater,
    RoomLost,
    SendRow,
)
from lycatra_appservice.turns.records import APOLOGY_N, JOURNAL_MAX, StoredTurn, Trigger
from lycatra_appservice.turns.runner import DEADLINES
from lycatra_appservice.turns.schedule import Schedule, ScheduleStore
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.turns.worker import SLOTS
from tests.contract.conftest import Replicas
from tests.support.postgres import OwnPostgresServer
from tests.support.tcp_proxy import Mode, TcpProxy
from tests.support.turns import (
    FAST,
    Replica,
    Rooms,
    Script,
    ScriptedHandler,
    message,
    query,
    trigger,
    turn_states,
    until,
    until_ended,
    until_true,
)

SLOW_POLL = replace(FAST, poll=timedelta(minutes=5))
AT_ONCE = RetryLater(timedelta(milliseconds=1), "busy")


@pytest.fixture
def handler() -> ScriptedHandler:
    return ScriptedHandler()


class Gate:
    """A script that waits inside the handler until it is let go."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, turn: Turn) -> Sequence[Outgoing]:
        self.entered.set()
        await self.open.wait()
        return [message(f"answer to {turn.trigger_id}", str(turn.input["room"]))]

    async def wait_entered(self) -> None:
        async with asyncio.timeout(20):
            await self.entered.wait()


def raising(*errors: Exception) -> Script:
    """Make a script that raises these, one a run, and then answers."""
    left = list(errors)

    async def script(turn: Turn) -> Sequence[Outgoing]:
        if left:
            raise left.pop(0)
        return [message("answer")]

    return script


def is_postgres(url: str) -> bool:
    return url.startswith("postgres")


async def take_over(replicas: Replicas, dead: Replica, handler: ScriptedHandler) -> Replica:
    """Crash a replica and start another one, which need not wait for the lease."""
    await dead.crash()
    await dead.forget_leases()
    heir = await replicas.add(handler)
    await heir.start()
    return heir


async def no_lane_is_owned(replica: Replica) -> bool:
    return not await query(replica.database, "SELECT 1 FROM lane WHERE owner IS NOT NULL")


# --- everything once and in order ---


async def test_every_message_is_answered_once_and_in_the_order_of_its_lane(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, database_url: str
) -> None:
    workers = [await replicas.add(handler) for _ in range(2 if is_postgres(database_url) else 1)]
    for worker in workers:
        await worker.start()
    names = {f"!{room}": [f"${room}.{n}" for n in range(12)] for room in range(25)}

    async def push(room: str) -> None:
        for n in range(0, 12, 3):
            await workers[0].inbox.store([trigger(t, room) for t in names[room][n : n + 3]])

    async with asyncio.timeout(60):
        await asyncio.gather(*(push(room) for room in names))
    await until_ended(workers[0].database)

    for room, triggers in names.items():
        assert rooms.said(room) == [f"answer to {t}" for t in triggers]
    assert set(handler.runs.values()) == {1}
    await until(lambda: no_lane_is_owned(workers[0]))
    await query(workers[0].database, "UPDATE turn SET created_at = 0")
    assert await workers[0].upkeep.sweep() == 0
    assert [w.figures.lost_leases for w in workers] == [0] * len(workers)


async def test_a_full_kind_does_not_hold_up_another(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    replica = await replicas.add(handler, slots={**SLOTS, LaneKind.ASK: 3})
    gate = Gate()
    asks = [trigger(f"${n}", f"!{n}") for n in range(6)]
    handler.scripts |= {ask.id: gate for ask in asks}
    await replica.inbox.store(asks)
    await replica.start()
    await gate.wait_entered()

    await replica.inbox.store([trigger("$c", "!c", LaneKind.COMMAND)])
    await until_ended(replica.database, "$c")

    assert rooms.said("!c") == ["answer to $c"]
    assert replica.figures.most_used[LaneKind.ASK] == 3
    gate.open.set()
    await until_ended(replica.database)
    assert replica.figures.most_used[LaneKind.ASK] == 3


async def test_a_push_wakes_the_worker(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    replica = await replicas.add(handler, timing=SLOW_POLL)
    await replica.start()

    for n in range(10):  # the first ones might be found by a look that was under way
        await replica.inbox.store([trigger(f"${n}")])
        await until_ended(replica.database, f"${n}")


async def test_what_no_hint_told_is_found_by_the_poll(
    replicas: Replicas, handler: ScriptedHandler
) -> None:
    replica = await replicas.add(handler)
    pusher = await replicas.add(handler)
    await replica.start(listening=False)
    await until_true(lambda: replica.figures.wakes["poll"] >= 2)

    await pusher.inbox.store([trigger("$a")])

    await until_ended(replica.database, "$a")
    assert replica.figures.wakes["notify"] == 0


async def test_a_listening_connection_that_was_killed_loses_nothing(
    postgres_replicas: Replicas, handler: ScriptedHandler
) -> None:
    replica = await postgres_replicas.add(handler, timing=SLOW_POLL)
    await replica.start()
    await until_true(lambda: replica.figures.wakes.total() > 0)

    await query(
        replica.database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :owner",
        owner=replica.owner,
    )
    await replica.inbox.store([trigger("$a")])

    await until_ended(replica.database, "$a")  # by the wake-up after listening again


# --- handlers that fail ---


async def test_a_handler_that_failed_is_tried_again_and_its_lane_waits(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    replica = await replicas.add(handler)
    handler.scripts["$a"] = raising(LookupError("once"), TimeoutError())
    rooms.script("answer", AT_ONCE)  # what an earlier run failed with is forgotten even then
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "done", "$b": "done"}

    assert rooms.said() == ["answer", "answer to $b"]
    assert handler.runs == {"$a": 3, "$b": 1}
    assert replica.figures.outcomes == ["retried", "retried", "send_later", "done", "done"]
    [row] = await query(replica.database, "SELECT error FROM turn WHERE trigger_id = '$a'")
    assert row["error"] is None


async def test_after_three_failures_there_is_an_apology_and_the_lane_goes_on(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    replica = await replicas.add(handler)
    handler.scripts["$some-event-id"] = raising(*[LookupError("secret")] * 9)
    await replica.inbox.store([trigger("$some-event-id"), trigger("$b")])
    await replica.start()

    assert await until_ended(replica.database) == {"$some-event-id": "failed", "$b": "done"}

    sorry, after = rooms.said()
    assert "more than once" in sorry
    assert "ome-event-id" in sorry
    assert "secret" not in sorry
    assert after == "answer to $b"
    assert rooms.timeline[0].n == APOLOGY_N
    assert handler.runs["$some-event-id"] == 3


def test_a_homeserver_that_hangs_is_noticed_before_the_time_of_any_turn_is_over() -> None:
    # Else each hanging call would count as the handler's failure, and the third one lose an
    # edit or a redaction for good.
    assert min(DEADLINES.values()) > REQUEST_TIMEOUT


async def test_an_error_that_trying_again_cannot_help_is_told_at_once(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    replica = await replicas.add(handler)
    handler.scripts["$a"] = raising(ToolFailedError("There is no such service."))
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "failed"}
    assert rooms.said() == ["sorry: There is no such service."]


async def test_a_handler_that_takes_too_long_is_tried_again_and_then_apologised_for(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    replica = await replicas.add(
        handler, deadlines={**DEADLINES, LaneKind.ASK: timedelta(milliseconds=30)}
    )
    handler.scripts["$a"] = Gate()
    await replica.inbox.store([trigger("$a"), trigger("$c", kind=LaneKind.COMMAND)])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "failed", "$c": "done"}
    assert handler.runs["$a"] == 3
    assert "answer to $a" not in rooms.said()


async def test_what_a_handler_waits_for_without_its_fault_is_not_counted(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    span = timedelta(milliseconds=30)
    replica = await replicas.add(handler, deadlines={**DEADLINES, LaneKind.ASK: span})

    async def waiting(turn: Turn) -> Sequence[Outgoing]:
        turn.deadline.pause()
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(3 * span.total_seconds(), passed.set)
        await passed.wait()
        return [message("answer")]

    handler.scripts["$a"] = waiting
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "done"}
    assert handler.runs["$a"] == 1


class BareError(Exception):
    """Its words cannot be stored as they are."""

    def __repr__(self) -> str:
        return "nul \0, surrogate \ud800, " + "long" * 10_000


async def test_an_error_with_words_that_cannot_be_stored_fails_like_any_other(
    replicas: Replicas, handler: ScriptedHandler
) -> None:
    replica = await replicas.add(handler)
    handler.scripts["$a"] = raising(*[BareError()] * 9)
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "failed"}
    assert handler.runs["$a"] == 3


async def test_an_answer_that_cannot_be_stored_is_a_failure_of_its_handler(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    replica = await replicas.add(handler)

    async def unstorable(turn: Turn) -> Sequence[Outgoing]:
        return [replace(message("x"), content={"body": object()})]

    handler.scripts["$a"] = unstorable
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "failed", "$b": "done"}
    assert len(rooms.said()) == 2


class SpeechlessHandler(ScriptedHandler):
    async def apologise(self, stored: StoredTurn, error: Exception) -> Sequence[Outgoing]:
        raise LookupError("no words")


async def test_a_handler_that_cannot_even_apologise_does_not_hold_up_its_lane(
    replicas: Replicas, rooms: Rooms
) -> None:
    handler = SpeechlessHandler()
    handler.scripts["$a"] = raising(*[LookupError()] * 9)
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "failed", "$b": "done"}
    assert rooms.said() == ["answer to $b"]


async def test_a_turn_that_ends_its_process_each_time_is_apologised_for(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    for start in range(1, 6):
        [(_, turn)] = await replica.store.claim(LaneKind.ASK, 1)
        assert turn.starts == start
        await replica.forget_leases()
        await replica.upkeep.free_dead()
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "failed", "$b": "done"}
    assert handler.runs["$a"] == 0
    assert "more than once" in rooms.said()[0]


# --- crashes ---


async def test_a_step_that_was_done_is_not_done_again_after_a_crash(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    ran: list[str] = []
    gate = Gate()

    async def stepwise(turn: Turn) -> Sequence[Outgoing]:
        async def once() -> JSON:
            ran.append("once")
            return {"n": len(ran)}

        first = await turn.step("0:once", once, args=["x"])
        second = await turn.change("1:change", once, args=None)
        if len(handler.runs) and handler.runs["$a"] == 1:
            await gate(turn)
        return [message(f"{first['n']} {second['n']}")]

    handler.scripts["$a"] = stepwise
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    await gate.wait_entered()

    heir = await take_over(replicas, replica, handler)

    assert await until_ended(heir.database) == {"$a": "done"}
    assert rooms.said() == ["1 2"]
    assert ran == ["once", "once"]
    assert handler.runs["$a"] == 2


async def test_a_change_that_had_started_is_not_repeated_but_told_of(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    started = asyncio.Event()
    changes = 0

    async def change() -> JSON:
        nonlocal changes
        changes += 1
        started.set()
        await asyncio.Event().wait()

    async def changing(turn: Turn) -> Sequence[Outgoing]:
        await turn.change("0:change", change)
        pytest.fail("not reached")

    handler.scripts["$a"] = changing
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()
    async with asyncio.timeout(20):
        await started.wait()

    heir = await take_over(replicas, replica, handler)

    assert await until_ended(heir.database) == {"$a": "failed", "$b": "done"}
    assert changes == 1
    assert rooms.said() == [f"sorry: {OutcomeUnknownError().user_message}", "answer to $b"]


async def test_a_change_that_fails_is_not_repeated_either(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    changes = 0

    async def change() -> JSON:
        nonlocal changes
        changes += 1
        raise ConnectionResetError

    async def changing(turn: Turn) -> Sequence[Outgoing]:
        await turn.change("0:change", change)
        pytest.fail("not reached")

    handler.scripts["$a"] = changing
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "failed"}
    assert changes == 1
    assert rooms.said() == [f"sorry: {OutcomeUnknownError().user_message}"]


async def test_a_step_with_other_arguments_than_journaled_fails_loudly(
    replicas: Replicas, handler: ScriptedHandler
) -> None:
    async def nothing() -> JSON:
        return None

    async def drifting(turn: Turn) -> Sequence[Outgoing]:
        await turn.step("0:look", nothing, args=handler.runs["$a"])
        raise LookupError

    handler.scripts["$a"] = drifting
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "failed"}
    assert handler.runs["$a"] == 2
    [row] = await query(replica.database, "SELECT error FROM turn")
    assert "other arguments" in row["error"]


async def test_an_early_send_gives_the_same_event_again_after_a_crash(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    gate = Gate()
    drafts: list[EventID | None] = []

    async def drafting(turn: Turn) -> Sequence[Outgoing]:
        drafts.append(await turn.send(message("draft")))
        if len(drafts) == 1:
            await gate(turn)
        edit = replace(message("final"), kind=SendKind.EDIT, target_n=0)
        return [edit, message(f"sent {turn.next_n}")]

    handler.scripts["$a"] = drafting
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    await gate.wait_entered()

    heir = await take_over(replicas, replica, handler)
    await until_ended(heir.database)

    assert drafts == [EventID("$event-1")] * 2
    assert rooms.said() == ["draft", "final", "sent 1"]
    assert rooms.timeline[1].target == "$event-1"
    assert [row.n for row in rooms.timeline] == [0, 1, 2]


async def crash_while_sending(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, *bodies: str
) -> Replica:
    """Let each message reach its room and end the process before its row is marked."""
    for body in bodies:
        sent = asyncio.Event()

        async def send_and_hang(row: SendRow, sent: asyncio.Event = sent) -> Delivery:
            rooms.put(row)
            sent.set()
            await asyncio.Event().wait()
            pytest.fail("not reached")

        rooms.script(body, send_and_hang)
        replica = await replicas.add(handler)
        await replica.start()
        async with asyncio.timeout(20):
            await sent.wait()
        await replica.crash()
        await replica.forget_leases()
    heir = await replicas.add(handler)
    await heir.start()
    return heir


async def test_what_reached_the_room_before_a_crash_is_looked_for_and_not_sent_twice(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    async def talking(turn: Turn) -> Sequence[Outgoing]:
        await turn.send(message("draft"))
        return [message("one"), message("two")]

    handler.scripts["$a"] = talking
    pusher = await replicas.add(handler)
    await pusher.inbox.store([trigger("$a"), trigger("$b")])

    heir = await crash_while_sending(replicas, handler, rooms, "draft", "one", "two")

    assert await until_ended(heir.database) == {"$a": "done", "$b": "done"}
    assert rooms.said() == ["draft", "one", "two", "answer to $b"]
    assert rooms.looks("draft") == [False, True]
    assert rooms.looks("one") == [False, True]
    assert rooms.looks("two") == [True, True]
    assert handler.runs["$a"] == 2  # once more after the draft, never after the answer


async def test_an_early_send_of_unknown_fate_is_looked_for_before_the_apology(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    async def talking(turn: Turn) -> Sequence[Outgoing]:
        await turn.send(message("draft"))
        pytest.fail("not reached")

    handler.scripts["$a"] = talking
    pusher = await replicas.add(handler)
    await pusher.inbox.store([trigger("$a")])
    heir = await replicas.add(handler)

    async def send_and_break_down(row: SendRow) -> Delivery:
        rooms.put(row)
        await query(heir.database, "UPDATE turn SET failures = 3")
        raise StoreUnavailableError("the mark is lost")

    rooms.script("draft", send_and_break_down)
    await heir.start()

    assert await until_ended(heir.database) == {"$a": "failed"}
    assert rooms.looks("draft") == [False, True]
    assert [body.split(":")[0] for body in rooms.said()] == ["draft", "sorry"]


async def test_an_early_send_is_looked_for_after_a_hand_over(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    reached = asyncio.Event()

    async def send_and_hang(row: SendRow) -> Delivery:
        rooms.put(row)
        reached.set()
        await asyncio.Event().wait()
        pytest.fail("not reached")

    async def talking(turn: Turn) -> Sequence[Outgoing]:
        await turn.send(message("draft"))
        return [message("answer")]

    rooms.script("draft", send_and_hang)
    handler.scripts["$a"] = talking
    leaving, heir = [await replicas.add(handler) for _ in range(2)]
    await leaving.inbox.store([trigger("$a")])
    await leaving.start()
    async with asyncio.timeout(20):
        await reached.wait()
    await leaving.drain()
    await heir.start()

    assert await until_ended(heir.database) == {"$a": "done"}
    assert rooms.said() == ["draft", "answer"]


# --- what can come of a send ---


async def test_a_send_that_has_to_wait_is_tried_again_without_its_handler(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    rooms.script("answer to $a", AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE)
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "done", "$b": "done"}
    assert rooms.said() == ["answer to $a", "answer to $b"]
    assert rooms.looks("answer to $a") == [False, True, True, True, True]
    assert handler.runs["$a"] == 1
    assert [row.attempt for row, _ in rooms.tries][:5] == [0, 1, 2, 3, 4]
    assert len({row.txn_id for row, _ in rooms.tries[:5]}) == 1


async def test_a_join_that_never_comes_about_is_given_up_and_the_lane_goes_on(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    join = replace(message("far away"), kind=SendKind.JOIN)

    async def joining(turn: Turn) -> Sequence[Outgoing]:
        return [join]

    handler.scripts["$a"] = joining
    rooms.script("far away", *[AT_ONCE] * 9)
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "done", "$b": "done"}
    assert rooms.said() == ["answer to $b"]


async def test_a_row_that_can_never_go_out_is_dropped_and_the_next_ones_go(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    async def talking(turn: Turn) -> Sequence[Outgoing]:
        assert await turn.send(message("draft")) is None
        return [message("one"), message("two")]

    handler.scripts["$a"] = talking
    rooms.script("draft", Dropped("413"))
    rooms.script("one", Dropped(""))
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "done"}
    assert rooms.said() == ["two"]
    dropped = await query(replica.database, "SELECT dropped FROM send ORDER BY n")
    assert [row["dropped"] for row in dropped] == ["413", "", None]


async def test_a_lost_room_loses_its_rows_and_no_others(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    async def talking(turn: Turn) -> Sequence[Outgoing]:
        return [message("one"), message("two"), message("three", "!else"), message("four")]

    handler.scripts["$a"] = talking
    rooms.script("two", RoomLost("kicked"))
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "done", "$b": "done"}
    assert rooms.said() == ["one", "answer to $b"]
    assert rooms.said("!else") == ["three"]
    dropped = await query(
        replica.database, "SELECT dropped FROM send WHERE turn_id = 1 ORDER BY n"
    )
    assert [row["dropped"] for row in dropped] == [None, "kicked", None, "kicked"]


async def test_an_amended_row_goes_out_in_its_new_form(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    other = UserID("@lycatra_other:example.org")
    plain = {"body": "answer to $a", "plain": True}
    rooms.script(
        "answer to $a", Amended(None, plain, "400 on the relation"), Amended(other, None, "403")
    )
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "done"}
    [sent] = rooms.timeline
    assert (sent.sender, sent.content) == (other, plain)
    first, second, third = [row.txn_id for row, _ in rooms.tries]
    assert first == second
    assert second != third  # each sender has its own


async def test_a_row_that_no_form_helps_is_dropped(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    rooms.script("answer to $a", *[Amended(None, {"body": "answer to $a"}, "again")] * 9)
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "done", "$b": "done"}
    assert rooms.said() == ["answer to $b"]


async def test_a_row_that_breaks_its_deliverer_does_not_hold_up_the_lane_for_ever(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    rooms.script("answer to $a", *[LookupError("a bug")] * 9)
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    async def hurried() -> bool:
        await query(replica.database, "UPDATE turn SET run_at = 0")
        await query(replica.database, "UPDATE lane SET ready_at = 0 WHERE owner IS NULL")
        return (await turn_states(replica.database))["$b"] == "done"

    await until(hurried)
    assert rooms.said() == ["answer to $b"]
    assert len(rooms.looks("answer to $a")) == 5


async def test_an_upload_keeps_its_media_id_and_gives_it_to_the_message(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    async def showing(turn: Turn) -> Sequence[Outgoing]:
        upload = replace(
            message("upload"), kind=SendKind.UPLOAD, content={"body": "upload"}, data=b"png\0"
        )
        return [upload, replace(message("image"), target_n=0)]

    async def fill(row: SendRow) -> Delivery:
        assert (row.mxc, row.data) == ("mxc://a/1", b"png\0")
        return Delivered(None, row.mxc)

    handler.scripts["$a"] = showing
    rooms.script("upload", RetryLater(timedelta(0), "slow", "mxc://a/1"), fill)
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    assert await until_ended(replica.database) == {"$a": "done"}
    [image] = rooms.timeline
    assert image.mxc == "mxc://a/1"
    assert await query(replica.database, "SELECT 1 FROM send WHERE data IS NOT NULL") == []


# --- ending a worker ---


async def test_a_drained_worker_hands_over_at_once_and_counts_no_failure(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    gate = Gate()
    handler.scripts["$a"] = gate
    leaving = await replicas.add(handler)
    await leaving.inbox.store([trigger("$a"), trigger("$b")])
    await leaving.start()
    await gate.wait_entered()

    await leaving.drain()

    [turn] = await query(leaving.database, "SELECT * FROM turn WHERE trigger_id = '$a'")
    assert (turn["state"], turn["failures"], turn["starts"]) == ("queued", 0, 0)
    assert leaving.figures.outcomes == ["handed_over"]
    assert await no_lane_is_owned(leaving)
    del handler.scripts["$a"]
    heir = await replicas.add(handler)
    await heir.start()
    assert await until_ended(heir.database) == {"$a": "done", "$b": "done"}
    assert rooms.said() == ["answer to $a", "answer to $b"]
    assert heir.figures.recovered_lanes == 0


async def test_a_drain_wakes_the_others_for_what_it_leaves(
    postgres_replicas: Replicas, handler: ScriptedHandler
) -> None:
    gate = Gate()
    handler.scripts["$a"] = gate
    leaving = await postgres_replicas.add(handler)
    heir = await postgres_replicas.add(handler, timing=SLOW_POLL)
    await leaving.inbox.store([trigger("$a"), trigger("$b")])
    await leaving.start()
    await gate.wait_entered()
    await heir.start()
    await until_true(lambda: heir.figures.wakes.total() > 0)

    draining = asyncio.create_task(leaving.drain(timedelta(seconds=15)))
    await asyncio.sleep(0)  # the drain has begun: `$b` stays for the other one
    gate.open.set()
    await draining

    assert (await until_ended(heir.database))["$b"] == "done"


async def test_a_drain_lets_running_turns_end_within_its_grace_and_takes_no_new_ones(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    gate = Gate()
    handler.scripts["$a"] = gate
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()
    await gate.wait_entered()

    draining = asyncio.create_task(replica.drain(timedelta(seconds=15)))
    await replica.inbox.store([trigger("$c", "!other")])
    gate.open.set()
    await draining

    assert rooms.said() == ["answer to $a"]
    assert await turn_states(replica.database) == {"$a": "done", "$b": "queued", "$c": "queued"}
    assert await no_lane_is_owned(replica)


async def test_a_drain_leaves_what_is_being_sent_to_be_sent(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    reached = asyncio.Event()

    async def hang(row: SendRow) -> Delivery:
        reached.set()
        await asyncio.Event().wait()
        pytest.fail("not reached")

    rooms.script("answer to $a", hang)
    leaving, heir = [await replicas.add(handler) for _ in range(2)]
    await leaving.inbox.store([trigger("$a")])
    await leaving.start()
    async with asyncio.timeout(20):
        await reached.wait()

    await leaving.drain()

    assert await turn_states(leaving.database) == {"$a": "sending"}
    await heir.start()
    await until_ended(heir.database)
    assert rooms.looks("answer to $a") == [False, True]
    assert handler.runs["$a"] == 1


async def test_a_drain_ends_although_the_database_is_away(
    postgres_replicas: Replicas, handler: ScriptedHandler
) -> None:
    gate = Gate()
    handler.scripts["$a"] = gate
    async with TcpProxy.before(postgres_replicas.url) as proxy:
        replica = await postgres_replicas.add(
            handler,
            timing=replace(
                FAST, lease=timedelta(minutes=5), hand_over=timedelta(milliseconds=200)
            ),
            url=proxy.url,
        )
        await replica.inbox.store([trigger("$a")])
        await replica.start()
        await gate.wait_entered()

        await proxy.set_mode(Mode.REFUSE)
        await replica.drain()

    heir = await postgres_replicas.add(handler)
    assert await turn_states(heir.database) == {"$a": "running"}


# --- losing a lane ---


async def test_a_worker_that_has_lost_a_lane_stops_its_turn_and_writes_nothing(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    stopped = asyncio.Event()
    entered = asyncio.Event()

    async def stoppable(turn: Turn) -> Sequence[Outgoing]:
        if handler.runs["$a"] > 1:
            return [message("answer")]
        try:
            entered.set()
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return []

    handler.scripts["$a"] = stoppable
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    async with asyncio.timeout(20):
        await entered.wait()

    await query(
        replica.database,
        "UPDATE lane SET owner = 'another', fence = fence + 1, lease_until = 9000000000000",
    )
    async with asyncio.timeout(20):
        await stopped.wait()

    await until_true(lambda: replica.figures.lost_leases == 1)
    # On SQLite the other one cannot be alive; on Postgres its lease has to end.
    await replica.forget_leases("another")
    assert await until_ended(replica.database) == {"$a": "done"}
    assert rooms.said() == ["answer"]
    assert handler.runs["$a"] == 2


async def test_a_worker_that_cannot_renew_its_leases_stops_its_turns(
    postgres_replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    stopped = asyncio.Event()
    entered = asyncio.Event()

    async def stoppable(turn: Turn) -> Sequence[Outgoing]:
        if handler.runs["$a"] > 1:
            return [message("answer")]
        try:
            entered.set()
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return []

    handler.scripts["$a"] = stoppable
    async with TcpProxy.before(postgres_replicas.url) as proxy:
        replica = await postgres_replicas.add(
            handler,
            timing=replace(FAST, lease=timedelta(milliseconds=500)),
            url=proxy.url,
        )
        await replica.inbox.store([trigger("$a")])
        await replica.start()
        async with asyncio.timeout(20):
            await entered.wait()

        await proxy.set_mode(Mode.HOLD)  # a partition: no error, no answer
        async with asyncio.timeout(8):  # sooner than the database's own time limit says anything
            await stopped.wait()
        await proxy.set_mode(Mode.PASS)

        assert await until_ended(replica.database) == {"$a": "done"}
        assert rooms.said() == ["answer"]
        await replica.crash()
        await replica.database.close()


async def test_a_lane_whose_task_broke_is_worked_on_again_when_its_lease_ends(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    replica = await replicas.add(handler)
    replica.figures.break_on_start.append(LookupError("outside the handler"))
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    async def worked_on_again() -> bool:
        await replica.forget_leases()
        return (await turn_states(replica.database))["$b"] == "done"

    await until(worked_on_again)
    assert rooms.said() == ["answer to $a", "answer to $b"]


# --- cancelling ---


async def test_a_person_can_stop_a_running_turn_and_the_lane_goes_on(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    gate = Gate()
    handler.scripts["$a"] = gate
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()
    await gate.wait_entered()

    assert await asyncio.gather(*(replica.revisions.cancel("$a") for _ in range(5)))

    assert await until_ended(replica.database) == {"$a": "cancelled", "$b": "done"}
    assert rooms.said() == ["answer to $b"]
    await until_true(lambda: replica.figures.outcomes == ["cancelled", "done"])
    assert replica.figures.recovered_lanes == 0


@pytest.mark.parametrize("at", ["step", "answer"])
async def test_a_stop_whose_hint_was_lost_is_seen_at_the_next_write(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, at: str
) -> None:
    gate = Gate()

    async def unexpected() -> JSON:
        pytest.fail("not reached")

    async def stoppable(turn: Turn) -> Sequence[Outgoing]:
        answer = await gate(turn)
        if at == "step":
            await turn.step("0:more", unexpected)
        return answer

    handler.scripts["$a"] = stoppable
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()
    await gate.wait_entered()

    await query(replica.database, "UPDATE turn SET cancel_requested = 1 WHERE trigger_id = '$a'")
    gate.open.set()

    assert await until_ended(replica.database) == {"$a": "cancelled", "$b": "done"}
    assert rooms.said() == ["answer to $b"]


async def test_a_turn_stopped_while_its_worker_died_is_not_taken_up_again(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    handler.scripts["$a"] = Gate()
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$c", "!c")])
    claims = {turn.id: (lease, turn) for lease, turn in await replica.store.claim(LaneKind.ASK, 2)}
    lease, turn = claims[min(claims)]
    await replica.store.begin_sending(lease, turn, 0, [message("answer")])
    await replica.revisions.cancel("$a")
    await replica.revisions.cancel("$c")

    heir = await take_over(replicas, replica, handler)

    assert await until_ended(heir.database) == {"$a": "cancelled", "$c": "cancelled"}
    assert rooms.timeline == []
    assert (await heir.upkeep.figures())[1] == 0


# --- other versions ---


@pytest.mark.parametrize("started", [False, True])
async def test_a_journal_that_nobody_can_replay_ends_with_a_sentence(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, *, started: bool
) -> None:
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    [(lease, turn)] = await replica.store.claim(LaneKind.ASK, 1)
    await replica.journal.record(lease, turn, "s", "h", done=not started, output=None)
    await query(
        replica.database,
        "UPDATE turn SET journal_ver = :v WHERE id = :id",
        v=JOURNAL_MAX + 1,
        id=turn.id,
    )
    await replica.forget_leases()

    await replica.start()

    assert await until_ended(replica.database) == {"$a": "failed", "$b": "done"}
    error = OutcomeUnknownError if started else InterruptedByUpdateError
    assert rooms.said() == [f"sorry: {error().user_message}", "answer to $b"]
    assert handler.runs["$a"] == 0


# --- the store is away ---


async def test_an_answer_of_unknown_commit_goes_out_once(
    postgres_replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    async with TcpProxy.before(postgres_replicas.url) as proxy:
        replica = await postgres_replicas.add(handler, url=proxy.url)

        def reached(lost: int) -> bool:
            return proxy.lost_answers >= lost

        gates = {f"${n}": Gate() for n in range(6)}
        handler.scripts |= gates
        await replica.inbox.store([trigger(name) for name in gates])
        await replica.start()
        for lost, gate in enumerate(gates.values(), start=1):
            await gate.wait_entered()
            proxy.drop_answer_to(b"COMMIT")  # of the answer, of the close, of a beat
            gate.open.set()
            await until_true(partial(reached, lost))
        await until_ended(replica.database)
        await replica.crash()

        assert rooms.said() == [f"answer to ${n}" for n in range(6)]
        sends = await query(replica.database, "SELECT turn_id FROM send")
        assert len(sends) == 6
        await replica.database.close()


async def push_like_a_homeserver(replica: Replica, push: Sequence[Trigger]) -> None:
    """Send it again until it is taken."""
    while True:
        try:
            await replica.inbox.store(push)
        except StoreUnavailableError:
            await asyncio.sleep(0.05)
        else:
            return


async def test_a_store_that_was_away_in_the_middle_loses_and_doubles_nothing(
    stoppable_postgres: OwnPostgresServer, handler: ScriptedHandler, rooms: Rooms
) -> None:
    pushes = [[trigger(f"${n}.{room}", f"!{room}") for room in range(10)] for n in range(12)]
    async with asyncio.timeout(60), stoppable_postgres.fresh_database() as dsn:
        replicas = Replicas(dsn, rooms)
        workers = [await replicas.add(handler) for _ in range(2)]
        for worker in workers:
            await worker.start()
        for push in pushes[:6]:
            await workers[0].inbox.store(push)

        await stoppable_postgres.stop_immediately()
        later = asyncio.create_task(push_like_a_homeserver(workers[1], pushes[6]))
        await stoppable_postgres.start()
        await later
        for push in pushes[7:]:
            await push_like_a_homeserver(workers[0], push)
        states = await until_ended(workers[0].database)

        assert len(states) == 120
        assert set(states.values()) == {"done"}
        for room in range(10):
            assert rooms.said(f"!{room}") == [f"answer to ${n}.{room}" for n in range(12)]
        await replicas.close()


# --- schedules ---


async def test_a_slot_is_one_turn_however_many_replicas_look(
    replicas: Replicas, handler: ScriptedHandler
) -> None:
    engines = [await replicas.add(handler) for _ in range(2)]
    stores = [ScheduleStore(engine.database, engine.inbox) for engine in engines]
    hour = timedelta(hours=1)
    await stores[0].put(Schedule(name="tidy", every=hour, first_after=timedelta(0)))
    await stores[1].put(Schedule(name="later", every=hour, first_after=hour))

    async with asyncio.timeout(20):
        stored = await asyncio.gather(*(store.enqueue_due() for store in stores * 4))

    assert sum(stored) == 1
    [turn] = await query(engines[0].database, "SELECT trigger_id, lane FROM turn")
    assert turn["trigger_id"].startswith("cron:tidy:")
    assert turn["lane"] == "job|tidy"


async def test_slots_missed_while_nobody_ran_are_one_turn_and_the_rhythm_stays(
    replicas: Replicas, handler: ScriptedHandler
) -> None:
    replica = await replicas.add(handler)
    store = ScheduleStore(replica.database, replica.inbox)
    await store.put(
        Schedule(name="tidy", every=timedelta(hours=1), first_after=timedelta(minutes=-250))
    )
    [before] = await query(replica.database, "SELECT next_at FROM schedule")

    assert await store.enqueue_due() == 1
    assert await store.enqueue_due() == 0

    [after] = await query(replica.database, "SELECT next_at, lycatra_now() AS now FROM schedule")
    assert after["next_at"] - before["next_at"] == 5 * 3_600_000
    assert 0 < after["next_at"] - after["now"] <= 3_600_000
    await replica.start()
    assert set((await until_ended(replica.database)).values()) == {"done"}


async def test_a_schedule_made_again_keeps_its_slot_unless_it_became_shorter(
    replicas: Replicas, handler: ScriptedHandler
) -> None:
    replica = await replicas.add(handler)
    store = ScheduleStore(replica.database, replica.inbox)

    async def due_in_minutes() -> int:
        [row] = await query(
            replica.database, "SELECT next_at - lycatra_now() AS due_in_ms FROM schedule"
        )
        due_in_ms: int = row["due_in_ms"]
        return round(due_in_ms / 60_000)

    async def put(every_minutes: int, first_after_minutes: int) -> None:
        every, first = timedelta(minutes=every_minutes), timedelta(minutes=first_after_minutes)
        await store.put(Schedule(name="tidy", every=every, first_after=first))

    await put(60, 30)
    await put(60, 1)
    assert await due_in_minutes() == 30
    await put(10, 1)
    assert await due_in_minutes() == 10
    await store.drop("tidy")
    assert await query(replica.database, "SELECT name FROM schedule") == []
