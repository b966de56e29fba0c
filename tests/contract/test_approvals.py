"""Approvals under every race and crash: what people let through happens once, or is told of."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from lycatra_appservice.audit.store import AuditStore
from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.db.statements import Dialect
from lycatra_appservice.errors import StoreBusyError
from lycatra_appservice.model import EventID, LaneKind, Outgoing, UserID
from lycatra_appservice.turns.approvals import (
    Approval,
    Approvals,
    ApprovalSpentError,
    ApprovalState,
    CallOutcome,
    CodeTakenError,
    Withdrawal,
)
from lycatra_appservice.turns.deciding import Deciding
from lycatra_appservice.turns.delivery import Delivered, Delivery, Dropped, RetryLater, SendRow
from lycatra_appservice.turns.parking import Parking
from lycatra_appservice.turns.records import (
    CancelledByPersonError,
    LaneLostError,
    Lease,
    StoredTurn,
    Trigger,
)
from lycatra_appservice.turns.revisions import Replaced
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.turns.votes import VoteStore
from tests.contract.conftest import Replicas
from tests.support.parking import (
    ASKER,
    CARD_ROOM,
    UNKNOWN,
    VOTER,
    Changing,
    a_vote,
    approval_of,
    card_rows,
    new_approval,
    shown_card,
)
from tests.support.turns import (
    ROOM,
    Engine,
    Replica,
    Rooms,
    ScriptedHandler,
    everything,
    message,
    query,
    trigger,
    turn_states,
    until,
    until_ended,
)

Pair = tuple[UpgradableDatabase, UpgradableDatabase]
SOON = RetryLater(timedelta(milliseconds=1), "busy")


class QuietHandler(ScriptedHandler):
    """Says nothing for the turns that approvals bring along."""

    async def handle(self, turn: Turn) -> Sequence[Outgoing]:
        is_ours = turn.trigger_id.startswith(("card:", "judge:"))
        if is_ours and turn.trigger_id not in self.scripts:
            return ()
        return await super().handle(turn)


@pytest.fixture
def handler() -> ScriptedHandler:
    return QuietHandler()


@pytest.fixture
def changing(handler: ScriptedHandler) -> Changing:
    script = Changing()
    handler.scripts["$a"] = script
    return script


async def parked(
    engine: Engine, name: str = "$a", room: str = ROOM
) -> tuple[Lease, StoredTurn, Approval]:
    """A turn that waits, by the engine's calls alone; its card is not out."""
    await engine.inbox.store([trigger(name, room, LaneKind.COMMAND)])
    [(lease, turn)] = await engine.store.claim(LaneKind.COMMAND, 1)
    number = await engine.journal.park(lease, turn, new_approval(), 0, card_rows())
    approval = await Approvals(engine.database).get(number)
    assert approval is not None
    return lease, turn, approval


async def card_is_out(engine: Engine, lease: Lease, turn: StoredTurn) -> EventID:
    """Send the card, and leave the turn."""
    [card, _] = await engine.journal.open_sends(turn)
    event_id = EventID(f"$card-of-{turn.trigger_id}")
    await engine.journal.mark_sent(lease, card.row, Delivered(event_id))
    for pending in await engine.journal.open_sends(turn):
        await engine.journal.drop(lease, pending.row, "not needed here")
    await engine.store.leave_waiting(lease, turn, go_on=False)
    return event_id


async def state_of(database: Database, approval: Approval) -> ApprovalState:
    found = await Approvals(database).get(approval.id)
    assert found is not None
    return found.state


async def votes_in(database: Database) -> list[tuple[str, int | None]]:
    rows = await query(database, "SELECT event_id, approval FROM vote ORDER BY event_id")
    return [(row["event_id"], row["approval"]) for row in rows]


async def is_waiting(database: UpgradableDatabase) -> None:
    """Return when somebody waits for a lock; SQLite lets nobody see that, and nobody past it."""
    if database.dialect is Dialect.SQLITE:
        return

    async def somebody_waits() -> bool:
        return bool(
            await query(database, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        )

    await until(somebody_waits)


# --- waiting ---


async def test_a_waiting_turn_holds_nothing_and_later_ones_pass_it(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, changing: Changing
) -> None:
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    await until_ended(replica.database, "$b")

    assert (await turn_states(replica.database))["$a"] == "waiting"
    assert rooms.said() == ["card", "seed", "answer to $b"]
    assert handler.runs["$a"] == 1

    async def all_free() -> bool:
        return not await query(replica.database, "SELECT 1 FROM lane WHERE owner IS NOT NULL")

    await until(all_free)
    await query(replica.database, "UPDATE turn SET created_at = 0")
    assert await replica.upkeep.sweep() == 0


async def test_a_decided_turn_is_the_next_of_its_lane(database: UpgradableDatabase) -> None:
    engine = Engine(database)
    lease, turn, approval = await parked(engine)
    await card_is_out(engine, lease, turn)
    await engine.inbox.store([trigger("$b", kind=LaneKind.COMMAND)])

    assert await Deciding(database).decide(approval.id, [], approved=True)

    [(_, head)] = await engine.store.claim(LaneKind.COMMAND, 1)
    assert (head.trigger_id, head.state) == ("$a", "running")


async def test_the_lane_waits_for_the_card_and_for_nothing_else(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, changing: Changing
) -> None:
    rooms.script("card", SOON, SOON)
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()

    await until_ended(replica.database, "$b")

    assert rooms.said() == ["card", "seed", "answer to $b"]
    assert handler.runs["$a"] == 1


async def test_another_replica_sends_the_card_and_does_not_ask_anew(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, changing: Changing
) -> None:
    sending = asyncio.Event()

    async def hang(_: SendRow) -> Delivery:
        sending.set()
        await asyncio.Event().wait()
        pytest.fail("not reached")

    rooms.script("card", hang)
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a"), trigger("$b")])
    await replica.start()
    async with asyncio.timeout(20):
        await sending.wait()

    heir = await take_over(replicas, replica, handler)
    await until_ended(heir.database, "$b")

    assert rooms.said() == ["card", "seed", "answer to $b"]
    assert rooms.looks("card") == [False, True]
    assert handler.runs["$a"] == 1


async def test_a_turn_whose_card_is_refused_goes_on(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, changing: Changing
) -> None:
    rooms.script("card", Dropped("no"))
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    assert await until_ended(replica.database, "$a") == {"$a": "done"}
    assert rooms.said()[-1] == "not done: withdrawn"


async def test_nothing_is_asked_for_a_turn_that_was_taken_back(
    database: UpgradableDatabase,
) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a", kind=LaneKind.COMMAND)])
    [(lease, turn)] = await engine.store.claim(LaneKind.COMMAND, 1)
    await engine.revisions.cancel("$a")

    with pytest.raises(Exception, match="was taken back"):
        await engine.journal.park(lease, turn, new_approval(), 0, card_rows())

    assert not await query(database, "SELECT * FROM approval")
    assert not (await everything(database))["send"]


async def test_who_has_lost_the_lane_asks_nobody(database_pair: Pair) -> None:
    engine, other = Engine(database_pair[0], "one"), Engine(database_pair[1], "two")
    await engine.inbox.store([trigger("$a", kind=LaneKind.COMMAND)])
    [(lease, turn)] = await engine.store.claim(LaneKind.COMMAND, 1)
    await query(database_pair[0], "UPDATE lane SET lease_until = 0")
    await other.upkeep.free_dead()
    before = await everything(database_pair[1])

    with pytest.raises(Exception, match="no longer ours"):
        await engine.journal.park(lease, turn, new_approval(), 0, card_rows())

    assert await everything(database_pair[1]) == before
    assert not await query(database_pair[1], "SELECT * FROM approval")


async def test_a_code_that_is_taken_is_never_given_twice(database: UpgradableDatabase) -> None:
    engine = Engine(database)
    _, _, approval = await parked(engine)
    await engine.inbox.store([trigger("$b", room="!other", kind=LaneKind.COMMAND)])
    [(lease, turn)] = await engine.store.claim(LaneKind.COMMAND, 1)
    new = new_approval()
    taken = type(new)(
        **{name: getattr(new, name) for name in new.__slots__} | {"code": approval.code}
    )

    with pytest.raises(CodeTakenError):
        await engine.journal.park(lease, turn, taken, 0, card_rows())

    await engine.journal.park(lease, turn, new, 0, card_rows())


# --- deciding ---


async def test_a_hundred_votes_at_once_are_one_run(
    replicas: Replicas,
    handler: ScriptedHandler,
    rooms: Rooms,
    changing: Changing,
    database_url: str,
) -> None:
    replica, other = await replicas.add(handler), await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    approval = await shown_card(replica.database)
    assert approval.card is not None
    card = approval.card

    async def vote(n: int) -> bool:
        database = (replica, other)[n % 2].database
        found = await VoteStore(database).cast_on(a_vote(n), card, CARD_ROOM)
        assert found is not None
        return await Deciding(database).decide(found.id, [a_vote(n)], approved=True)

    decided = await asyncio.gather(*(vote(n) for n in range(100)))

    assert sum(decided) == 1
    assert (await until_ended(replica.database, "$a"))["$a"] == "done"
    assert changing.changed == ["$a"]
    assert rooms.said() == ["card", "seed", "restarted"]


async def test_of_all_ends_at_once_exactly_one_comes(database_pair: Pair) -> None:
    for n in range(8):
        engine = Engine(database_pair[0], "one")
        lease, turn, approval = await parked(engine, f"$a{n}")
        await card_is_out(engine, lease, turn)
        one, two = (Deciding(database) for database in database_pair)

        ended = await asyncio.gather(
            one.decide(approval.id, [], approved=True),
            two.decide(approval.id, [], approved=False),
            one.withdraw(approval.id, Withdrawal.STOPPED),
            two.withdraw(approval.id, Withdrawal.ROOM_LEFT),
            one.decide(approval.id, [], approved=True),
        )

        assert sum(ended) == 1
        [(lease, head)] = await engine.store.claim(LaneKind.COMMAND, 1)
        assert head.trigger_id == f"$a{n}"
        await engine.store.finish(lease, head, "done", go_on=False)


async def test_the_audit_has_the_end_by_the_same_commit(database: UpgradableDatabase) -> None:
    engine, odd = Engine(database), UserID('@a"b\\c:example.org')
    lease, turn, approval = await parked(engine)
    card = await card_is_out(engine, lease, turn)
    votes = [a_vote(1), a_vote(2, voter=odd)]
    for vote in votes:
        await VoteStore(database).cast_on(vote, card, CARD_ROOM)

    await Deciding(database).decide(approval.id, votes, approved=True)
    await Deciding(database).decide(approval.id, votes, approved=True)

    asked, recorded = await AuditStore(database).of_turn("$a")
    assert (asked.entry.ruling, asked.entry.call) == ("needs_approval", recorded.entry.call)
    entry = recorded.entry
    assert (entry.ruling, entry.approval, entry.person) == ("approved", approval.code, ASKER)
    assert entry.approvers == (VOTER, odd)
    assert json.loads(entry.arguments or "") == {"service": "web"}


async def test_a_vote_that_was_taken_back_a_moment_ago_decides_nothing(
    database: UpgradableDatabase,
) -> None:
    engine, votes = Engine(database), VoteStore(database)
    lease, turn, approval = await parked(engine)
    card = await card_is_out(engine, lease, turn)
    await votes.cast_on(a_vote(), card, CARD_ROOM)

    assert await votes.withdraw(a_vote().event_id)

    assert not await Deciding(database).decide(approval.id, [a_vote()], approved=True)
    assert await votes.live(approval.id) == []
    assert await state_of(database, approval) is ApprovalState.OPEN


async def test_the_same_vote_pushed_twice_is_one(database: UpgradableDatabase) -> None:
    engine, votes = Engine(database), VoteStore(database)
    lease, turn, approval = await parked(engine)
    card = await card_is_out(engine, lease, turn)

    await votes.cast_on(a_vote(), card, CARD_ROOM)
    await votes.withdraw(a_vote().event_id)
    await votes.cast_on(a_vote(), card, CARD_ROOM)

    assert await votes.live(approval.id) == []


async def test_nobody_decides_after_the_end(database_pair: Pair) -> None:
    engine = Engine(database_pair[0])
    lease, turn, approval = await parked(engine)
    await card_is_out(engine, lease, turn)
    await query(engine.database, "UPDATE approval SET expires_at = lycatra_now()")
    one, two = (Deciding(database) for database in database_pair)

    assert not await one.decide(approval.id, [], approved=True)
    assert sum(await asyncio.gather(one.expire(), two.expire(), one.expire())) == 1

    assert await state_of(engine.database, approval) is ApprovalState.EXPIRED
    assert (await turn_states(engine.database))["$a"] == "queued"


async def test_what_is_not_over_does_not_expire(database: UpgradableDatabase) -> None:
    await parked(Engine(database))

    assert await Deciding(database).expire() == 0


async def test_the_newest_of_the_requests_about_the_same_stands(
    database: UpgradableDatabase,
) -> None:
    engine = Engine(database)
    asked = [
        new_approval(),
        replace(new_approval(args_hash="in other words"), args={"service": "web", "now": True}),
        new_approval(target="database"),
        replace(new_approval(), tool="stop_service"),
        new_approval(),
    ]
    approvals = []
    for n, new in enumerate(asked):
        await engine.inbox.store([trigger(f"$a{n}", f"!room{n}", LaneKind.COMMAND)])
        [(lease, turn)] = await engine.store.claim(LaneKind.COMMAND, 1)
        number = await engine.journal.park(lease, turn, new, 0, card_rows())
        await card_is_out(engine, lease, turn)
        approvals.append(number)

    assert await Deciding(database).supersede() == 2
    assert await Deciding(database).supersede(approvals[-1]) == 0

    found = [await Approvals(database).get(each) for each in approvals]
    newest = approvals[-1]
    assert [each.superseded_by for each in found if each] == [newest, newest, None, None, None]
    assert [each.state.value for each in found if each][2:] == ["open"] * 3


# --- votes and cards in any order ---


async def test_a_vote_that_comes_before_its_card_is_known_is_read_then(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, changing: Changing
) -> None:
    replica = await replicas.add(handler)

    async def vote_at_once(row: SendRow) -> Delivery:
        delivered = rooms.put(row)
        assert delivered.event_id is not None
        early = await VoteStore(replica.database).cast_on(a_vote(), delivered.event_id, CARD_ROOM)
        assert early is None
        return delivered

    async def judge(turn: Turn) -> Sequence[Outgoing]:
        number = int(turn.trigger_id.split(":")[1])
        live = await VoteStore(replica.database).live(number)
        assert await Deciding(replica.database).decide(number, live, approved=True)
        return ()

    rooms.script("card", vote_at_once)
    handler.scripts["judge:1:early"] = judge
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    await until_ended(replica.database, "$a")

    assert changing.changed == ["$a"]
    assert await votes_in(replica.database) == [("$vote0", 1)]


@pytest.mark.parametrize("first", ["vote", "mark"])
async def test_of_a_vote_and_the_mark_of_its_card_the_second_sees_the_first(
    database_pair: Pair, first: str
) -> None:
    """Each in a transaction of its own, which the other begins before it is committed."""
    engine, votes = Engine(database_pair[0]), VoteStore(database_pair[1])
    lease, turn, approval = await parked(engine)
    [card, _] = await engine.journal.open_sends(turn)
    event_id = EventID("$card")
    other: asyncio.Task[object]

    if first == "vote":
        async with database_pair[1].transaction() as connection:
            sql = votes._sql
            await connection.fetch_one(sql["lock_target"], target=event_id)
            assert await connection.fetch_one(sql["is_on_its_way"], room=CARD_ROOM)
            other = asyncio.create_task(
                engine.journal.mark_sent(lease, card.row, Delivered(event_id))
            )
            await is_waiting(database_pair[0])
            await votes._insert(connection, a_vote(), event_id, None)
        await other
        assert await votes_in(database_pair[1]) == [("$vote0", approval.id)]
        [judge] = await query(
            database_pair[0], "SELECT lane FROM turn WHERE trigger_id LIKE 'judge:%'"
        )
        assert judge["lane"].endswith("|control")
    else:
        async with database_pair[0].transaction() as connection:
            await Parking(database_pair[0]).join_votes(connection, card.row, event_id)
            other = asyncio.create_task(votes.cast_on(a_vote(), event_id, CARD_ROOM))
            await is_waiting(database_pair[1])
            await connection.fetch_one(
                engine.journal._sql["mark_sent"],
                turn_id=turn.id,
                n=card.row.n,
                event_id=event_id,
                mxc=None,
                **engine.journal._fenced(lease),
            )
        found = await other
        assert isinstance(found, Approval)
        assert found.id == approval.id


async def test_reactions_to_anything_else_are_not_kept(database: UpgradableDatabase) -> None:
    engine, votes = Engine(database), VoteStore(database)
    assert await votes.cast_on(a_vote(1), EventID("$chat"), CARD_ROOM) is None
    assert await votes_in(database) == []

    lease, turn, _ = await parked(engine)
    await votes.cast_on(a_vote(2), EventID("$chat"), CARD_ROOM)  # perhaps on the card
    await card_is_out(engine, lease, turn)
    await votes.cast_on(a_vote(3), EventID("$chat"), CARD_ROOM)

    assert await votes_in(database) == [("$vote2", None)]
    assert await votes.sweep() == 0
    await query(database, "UPDATE vote SET at = 0")
    await votes.sweep()
    assert await votes_in(database) == []


async def test_the_sweeper_joins_what_has_missed_its_card(database: UpgradableDatabase) -> None:
    engine, votes = Engine(database), VoteStore(database)
    lease, turn, approval = await parked(engine)
    card = await card_is_out(engine, lease, turn)
    await query(
        database,
        "INSERT INTO vote (event_id, target, voter, yes, at)"
        " VALUES ('$missed', :card, :voter, 1, lycatra_now())",
        card=card,
        voter=VOTER,
    )

    assert await votes.sweep() == 1
    assert await votes.sweep() == 0

    assert await votes_in(database) == [("$missed", approval.id)]
    assert f"judge:{approval.id}:$missed" in await turn_states(database)


async def test_a_card_that_comes_out_after_its_end_is_edited_all_the_same(
    database: UpgradableDatabase,
) -> None:
    engine = Engine(database)
    lease, turn, approval = await parked(engine)
    await Deciding(database).withdraw(approval.id, Withdrawal.STOPPED)

    await card_is_out(engine, lease, turn)

    assert f"card:{approval.id}:late" in await turn_states(database)


# --- using ---


async def test_an_approval_is_used_with_the_start_of_the_call_or_not_at_all(
    database: UpgradableDatabase,
) -> None:
    engine = Engine(database)
    lease, turn, approval = await parked(engine)
    await card_is_out(engine, lease, turn)
    await Deciding(database).decide(approval.id, [], approved=True)
    [(lease, turn)] = await engine.store.claim(LaneKind.COMMAND, 1)

    async def start(name: str, spent: Approval) -> None:
        await engine.journal.record(
            lease,
            turn,
            name,
            "h",
            done=False,
            output=None,
            beside=lambda connection: engine.journal.use(connection, spent),
        )

    other_args = await Approvals(database).get(approval.id)
    assert other_args is not None
    changed = replace(other_args, args_hash="other")
    with pytest.raises(ApprovalSpentError):
        await start("other", changed)
    await start("first", approval)
    with pytest.raises(ApprovalSpentError):
        await start("second", approval)

    assert list(await engine.journal.steps(turn)) == ["first"]
    assert await state_of(database, approval) is ApprovalState.USED


async def test_an_approval_that_nobody_gave_cannot_be_used(database: UpgradableDatabase) -> None:
    engine = Engine(database)
    lease, turn, approval = await parked(engine)

    for end in (None, "denied", "expired", "withdrawn", "used"):
        if end:
            await query(database, "UPDATE approval SET state = :state", state=end)
        with pytest.raises(ApprovalSpentError):
            await engine.journal.record(
                lease,
                turn,
                "change",
                "h",
                done=False,
                output=None,
                beside=lambda connection: engine.journal.use(connection, approval),
            )

    assert not await engine.journal.steps(turn)


async def take_over(replicas: Replicas, crashed: Replica, handler: ScriptedHandler) -> Replica:
    """Kill a replica, and have another one that finds its lanes."""
    await crashed.crash()
    await crashed.forget_leases()
    heir = await replicas.add(handler)
    await heir.start()
    return heir


async def test_another_replica_finishes_what_was_asked_before_a_restart(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, changing: Changing
) -> None:
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    approval = await shown_card(replica.database)
    await replica.crash()

    assert await Deciding(replica.database).decide(approval.id, [], approved=True)
    heir = await take_over(replicas, replica, handler)

    assert (await until_ended(heir.database, "$a"))["$a"] == "done"
    assert changing.changed == ["$a"]
    assert rooms.said() == ["card", "seed", "restarted"]


async def test_a_crash_after_the_start_is_told_and_never_run_again(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, changing: Changing
) -> None:
    changing.hold = asyncio.Event()
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    approval = await shown_card(replica.database)
    await Deciding(replica.database).decide(approval.id, [], approved=True)
    async with asyncio.timeout(20):
        await changing.begun.wait()

    heir = await take_over(replicas, replica, handler)

    assert (await until_ended(heir.database, "$a"))["$a"] == "failed"
    assert changing.changed == ["$a"]
    assert rooms.said()[-1] == UNKNOWN
    assert await state_of(heir.database, approval) is ApprovalState.USED


async def test_a_change_that_has_begun_is_not_broken_off(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, changing: Changing
) -> None:
    changing.hold = asyncio.Event()
    replica, other = await replicas.add(handler), await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    approval = await shown_card(replica.database)
    assert not await other.revisions.is_changing("$a")
    await Deciding(replica.database).decide(approval.id, [], approved=True)
    async with asyncio.timeout(20):
        await changing.begun.wait()

    assert not await other.revisions.cancel("$a")
    assert await other.revisions.is_changing("$a")
    assert (
        await other.revisions.replace(trigger("$a", body="new"), reopen=False)
        is Replaced.CHANGE_STARTED
    )
    changing.hold.set()

    assert (await until_ended(replica.database, "$a"))["$a"] == "done"
    assert rooms.said()[-1] == "restarted"
    assert not await other.revisions.is_changing("$a")


async def test_a_change_in_doubt_is_told_whoever_stops_it(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, changing: Changing
) -> None:
    """It was interrupted, and nobody has taken it up again."""
    changing.hold = asyncio.Event()
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    approval = await shown_card(replica.database)
    await Deciding(replica.database).decide(approval.id, [], approved=True)
    async with asyncio.timeout(20):
        await changing.begun.wait()
    await replica.crash()

    assert not await replica.revisions.cancel("$a")
    heir = await take_over(replicas, replica, handler)

    assert (await until_ended(heir.database, "$a"))["$a"] == "failed"
    assert rooms.said()[-1] == UNKNOWN


async def approved_head(engine: Engine, name: str = "$a") -> tuple[Lease, StoredTurn, Approval]:
    """A turn that has waited and runs again; its change has not begun."""
    lease, turn, approval = await parked(engine, name, f"!room{name}")
    await card_is_out(engine, lease, turn)
    assert await Deciding(engine.database).decide(approval.id, [], approved=True)
    [(lease, turn)] = await engine.store.claim(LaneKind.COMMAND, 1)
    return lease, turn, approval


async def begin(engine: Engine, lease: Lease, turn: StoredTurn, approval: Approval) -> None:
    """Journal the start of the call."""
    await engine.journal.record(
        lease,
        turn,
        "change",
        "h",
        done=False,
        output=None,
        beside=lambda connection: engine.journal.use(connection, approval),
    )


async def test_of_a_stop_and_the_start_of_a_change_one_comes_too_late(database_pair: Pair) -> None:
    engine, other = Engine(database_pair[0], "one"), Engine(database_pair[1], "two")
    for n in range(8):
        lease, turn, approval = await approved_head(engine, f"$a{n}")

        stopped, begun = await asyncio.gather(
            other.revisions.cancel(f"$a{n}"),
            begin(engine, lease, turn, approval),
            return_exceptions=True,
        )

        assert (stopped, type(begun)) in [(True, CancelledByPersonError), (False, type(None))]
        assert bool(await engine.journal.steps(turn)) is not stopped


async def test_what_was_stopped_before_it_began_never_begins(database: UpgradableDatabase) -> None:
    engine = Engine(database)
    lease, turn, approval = await approved_head(engine)
    assert await engine.revisions.cancel("$a")

    with pytest.raises(CancelledByPersonError):
        await begin(engine, lease, turn, approval)
    await engine.store.finish(lease, turn, "cancelled", go_on=False)

    assert not await engine.journal.steps(turn)
    assert await Deciding(database).conclude_abandoned() == 1
    assert await Deciding(database).conclude_abandoned() == 0
    assert await state_of(database, approval) is ApprovalState.WITHDRAWN
    assert f"card:{approval.id}:withdrawn" in await turn_states(database)


async def test_of_a_change_whose_turn_has_ended_without_its_end_nobody_knows(
    database: UpgradableDatabase,
) -> None:
    engine = Engine(database)
    lease, turn, approval = await approved_head(engine)
    await begin(engine, lease, turn, approval)
    assert await Deciding(database).conclude_abandoned() == 0
    await engine.store.finish(lease, turn, "failed", go_on=False)

    assert await Deciding(database).conclude_abandoned() == 1
    assert await Deciding(database).conclude_abandoned() == 0

    found = await approval_of(database)
    assert found.outcome is CallOutcome.UNKNOWN
    assert f"card:{approval.id}:unknown" in await turn_states(database)


async def test_a_crash_after_the_end_says_what_came_of_it(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms, changing: Changing
) -> None:
    answered = asyncio.Event()
    whole = handler.scripts["$a"]

    async def then_hang(turn: Turn) -> Sequence[Outgoing]:
        said = await whole(turn)
        if not answered.is_set():
            answered.set()
            await asyncio.Event().wait()
        return said

    handler.scripts["$a"] = then_hang
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    approval = await shown_card(replica.database)
    await Deciding(replica.database).decide(approval.id, [], approved=True)
    async with asyncio.timeout(20):
        await answered.wait()

    heir = await take_over(replicas, replica, handler)

    assert (await until_ended(heir.database, "$a"))["$a"] == "done"
    assert changing.changed == ["$a"]
    assert rooms.said() == ["card", "seed", "restarted"]


async def test_waiting_often_is_no_failure(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    """More waits than a turn may have starts."""

    async def asks_often(turn: Turn) -> Sequence[Outgoing]:
        for n in range(7):
            name = f"{n}:restart"
            if turn.approval(name) is None:
                new = new_approval(args_hash=f"hash {n}")
                await turn.park(replace(new, step_name=name), card_rows(f"card {n}"))
        return [message("all asked")]

    handler.scripts["$a"] = asks_often
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()

    for n in range(7):

        async def is_asked(n: int = n) -> bool:
            rows = await query(
                replica.database,
                "SELECT 1 FROM approval WHERE step_name = :name AND state = 'open'",
                name=f"{n}:restart",
            )
            return bool(rows)

        await until(is_asked)
        approval = await approval_of(replica.database)
        assert await Deciding(replica.database).decide(approval.id, [], approved=True)

    assert (await until_ended(replica.database, "$a"))["$a"] == "done"
    assert rooms.said()[-1] == "all asked"
    assert [body for body in rooms.said() if body.startswith("card")] == [
        f"card {n}" for n in range(7)
    ]


# --- second thoughts ---


async def test_a_cancelled_wait_is_over_at_once(database: UpgradableDatabase) -> None:
    engine = Engine(database)
    lease, turn, approval = await parked(engine)
    await card_is_out(engine, lease, turn)

    assert await engine.revisions.cancel("$a")

    assert await state_of(database, approval) is ApprovalState.WITHDRAWN
    states = await turn_states(database)
    assert states["$a"] == "cancelled"
    assert f"card:{approval.id}:withdrawn" in states
    assert not await Deciding(database).decide(approval.id, [], approved=True)


@pytest.mark.parametrize("was", ["waiting", "approved"])
async def test_other_words_need_another_approval(database: UpgradableDatabase, was: str) -> None:
    engine = Engine(database)
    lease, turn, approval = await parked(engine)
    await card_is_out(engine, lease, turn)
    if was == "approved":
        await Deciding(database).decide(approval.id, [], approved=True)
    words = trigger("$a", kind=LaneKind.COMMAND, body="new")

    outcome = await engine.revisions.replace(words, reopen=False)

    assert outcome is (Replaced.WITHDRAWN if was == "waiting" else Replaced.QUEUED)
    assert await state_of(database, approval) is ApprovalState.WITHDRAWN
    [(lease, turn)] = await engine.store.claim(LaneKind.COMMAND, 1)
    assert turn.input["body"] == "new"
    assert await engine.journal.approvals(turn) == ()
    await engine.journal.park(lease, turn, new_approval(), turn.first_n, card_rows("new card"))
    [card, _] = await engine.journal.open_sends(turn)
    assert card.row.content["body"] == "new card"


async def test_the_same_words_leave_the_card_as_it_is(database: UpgradableDatabase) -> None:
    engine = Engine(database)
    _, _, approval = await parked(engine)
    words: Trigger = trigger("$a", kind=LaneKind.COMMAND)

    assert await engine.revisions.replace(words, reopen=False) is Replaced.AS_IT_WAS

    assert await state_of(database, approval) is ApprovalState.OPEN


async def insisting(work: Callable[[], Awaitable[object]]) -> object:
    """As all who call do: what was broken off, as two waited for each other, is done again."""
    for _ in range(2):
        try:
            return await work()
        except StoreBusyError:
            continue
    return await work()


async def test_votes_stops_expiry_and_marks_at_once_never_lock_each_other_out(
    database_pair: Pair,
) -> None:
    one, two = (Engine(database, f"{n}") for n, database in enumerate(database_pair))
    held = []
    for n in range(6):
        lease, turn, approval = await parked(one, f"$a{n}", f"!room{n}")
        held.append((lease, turn, approval, await one.journal.open_sends(turn)))
    await query(one.database, "UPDATE approval SET expires_at = 0 WHERE id % 2 = 0")

    async with asyncio.timeout(30):
        for lease, turn, approval, (card, *_) in held:
            event_id = EventID(f"$card{turn.id}")
            deciding, votes = Deciding(two.database), VoteStore(two.database)
            ends = await asyncio.gather(
                insisting(partial(deciding.decide, approval.id, [], approved=True)),
                insisting(Deciding(one.database).expire),
                insisting(partial(two.revisions.cancel, turn.trigger_id)),
                insisting(partial(votes.cast_on, a_vote(turn.id), event_id, CARD_ROOM)),
                insisting(partial(one.journal.mark_sent, lease, card.row, Delivered(event_id))),
                insisting(partial(one.store.leave_waiting, lease, turn, go_on=False)),
                return_exceptions=True,
            )
            broken = [each for each in ends if isinstance(each, BaseException)]
            assert all(isinstance(each, LaneLostError) for each in broken), broken

    states = {row["state"] for row in await query(one.database, "SELECT state FROM approval")}
    assert states <= {"approved", "expired", "withdrawn"}
