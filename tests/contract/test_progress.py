"""The rows that show how a call gets on, on both stores: one message, whoever works on it."""

from datetime import timedelta

import pytest

from lycatra_appservice.model import JSON, LaneKind
from lycatra_appservice.turns.delivery import RetryLater
from lycatra_appservice.turns.progress import ProgressRows, ProgressTable, Showing
from lycatra_appservice.turns.records import LaneLostError, Lease, StoredTurn
from lycatra_appservice.turns.sending import Sending, SendLaterError
from tests.contract.conftest import Replicas
from tests.support.turns import (
    Figures,
    Replica,
    Rooms,
    ScriptedHandler,
    message,
    query,
    trigger,
    turn_states,
)

EDIT = {"msgtype": "m.notice", "body": "edited"}


async def claimed(replica: Replica) -> tuple[Lease, StoredTurn]:
    [(lease, turn)] = await replica.store.claim(LaneKind.ASK, 1)
    return lease, turn


def rows_of(replica: Replica, rooms: Rooms, lease: Lease, turn: StoredTurn) -> ProgressRows:
    sending = Sending(replica.journal, rooms, Figures())
    return ProgressRows(replica.journal, sending, lease, turn)


async def show(rows: ProgressRows, words: str) -> Showing:
    return await rows.show(message(words), {**EDIT, "body": words}, "en")


async def end_of(replica: Replica) -> dict[str, JSON]:
    """The input of the turn that shows the end."""
    [row] = await query(
        replica.database, "SELECT input FROM turn WHERE trigger_id LIKE 'progress:%'"
    )
    found: dict[str, JSON] = {"of": "$a", "n": 2000, "run": 0, "parks": 0, "language": "en"}
    assert '"n": 2000' in row["input"]
    return found


async def started(replicas: Replicas, rooms: Rooms) -> tuple[Replica, Lease, StoredTurn]:
    replica = await replicas.add(ScriptedHandler())
    await replica.inbox.store([trigger("$a")])
    lease, turn = await claimed(replica)
    return replica, lease, turn


async def test_a_message_and_the_turn_that_ends_it_are_stored_together(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas, rooms)
    rows = rows_of(replica, rooms, lease, turn)

    assert await show(rows, "one") is Showing.SHOWN
    assert await show(rows, "two") is Showing.SHOWN

    assert rooms.said() == ["one", "two"]
    first, second = rooms.timeline
    assert (first.n, second.n, second.target_n) == (2000, 2001, 2000)
    assert list(await turn_states(replica.database)) == ["$a", "progress:$a:2000"]
    shown = await ProgressTable(replica.database).find(await end_of(replica))
    assert shown is not None
    assert (shown.is_over, shown.is_settled) == (False, True)


async def test_who_has_lost_the_lane_shows_nothing(replicas: Replicas, rooms: Rooms) -> None:
    replica, lease, turn = await started(replicas, rooms)
    await replica.forget_leases()
    await replica.upkeep.free_dead()

    with pytest.raises(LaneLostError):
        await show(rows_of(replica, rooms, lease, turn), "one")

    assert rooms.timeline == []
    assert list(await turn_states(replica.database)) == ["$a"]


async def test_a_second_replica_goes_on_with_the_same_message(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas, rooms)
    await show(rows_of(replica, rooms, lease, turn), "one")
    await replica.crash()
    await replica.forget_leases()
    heir = await replicas.add(ScriptedHandler())
    await heir.upkeep.free_dead()

    lease, turn = await claimed(heir)
    assert await show(rows_of(heir, rooms, lease, turn), "two") is Showing.SHOWN

    assert [row.n for row in rooms.timeline] == [2000, 2001]


async def test_what_could_not_be_sent_goes_first_and_no_second_row_is_written(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas, rooms)
    rows = rows_of(replica, rooms, lease, turn)
    rooms.script("one", *[RetryLater(timedelta(0), "busy")] * 2)
    for words in ("one", "two"):
        with pytest.raises(SendLaterError):
            await show(rows, words)

    assert await show(rows, "three") is Showing.BEHIND
    assert await show(rows, "three") is Showing.SHOWN

    assert rooms.said() == ["one", "three"]
    assert rooms.looks("one") == [False, True, True]


async def test_the_answers_rows_are_the_same_with_and_without_it(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas, rooms)
    rooms.script("one", RetryLater(timedelta(0), "busy"))
    with pytest.raises(SendLaterError):
        await show(rows_of(replica, rooms, lease, turn), "one")

    pending = await replica.store.begin_sending(lease, turn, 0, [message("the answer")])

    assert [each.row.n for each in pending] == [0, 2000]
    shown = await ProgressTable(replica.database).find(await end_of(replica))
    assert shown is not None
    assert (shown.is_over, shown.is_settled) == (False, False)


async def test_it_is_over_when_the_turn_has_ended_or_begins_anew(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas, rooms)
    await show(rows_of(replica, rooms, lease, turn), "one")
    table, about = ProgressTable(replica.database), await end_of(replica)
    await replica.revisions.replace(trigger("$a", text="other words"), reopen=False)

    anew = await table.find(about)
    assert anew is not None
    assert (anew.is_over, anew.is_asked_anew) == (True, True)

    lease, turn = await claimed(replica)
    assert turn.first_n > 0
    assert await show(rows_of(replica, rooms, lease, turn), "anew") is Showing.SHOWN
    assert len({row.n for row in rooms.timeline}) == 2
