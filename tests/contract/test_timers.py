"""Turns that are due later, on both stores: set, replaced, taken back and begun at once."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from lycatra_appservice.model import LaneKind, Outgoing, RoomID, UserID
from lycatra_appservice.turns.revisions import Replaced, Revisions
from lycatra_appservice.turns.timers import NewTimer, TimerName, TimerTable, TooManyTimersError
from lycatra_appservice.turns.turn import Turn
from tests.contract.conftest import Replicas
from tests.support.turns import (
    Replica,
    Rooms,
    ScriptedHandler,
    message,
    query,
    trigger,
    turn_states,
    until,
    until_ended,
)

SOON = timedelta(milliseconds=200)
DAY = timedelta(days=1)
OVEN = TimerName(namespace="assistant", room_id=RoomID("!room"), name="oven")


def a_timer(
    *, after: timedelta = DAY, asked_by: str = "$a", text: str = "done", name: TimerName = OVEN
) -> NewTimer:
    return NewTimer(
        name=name,
        person=UserID("@asker:example.org"),
        asked_by=asked_by,
        run=0,
        after=after,
        input={"text": text},
    )


class Saying(ScriptedHandler):
    """Says what a timer's turn holds."""

    async def handle(self, turn: Turn) -> Sequence[Outgoing]:
        self.runs[turn.trigger_id] += 1
        return [message(str(turn.input["text"]))]


@pytest.fixture
def handler() -> Saying:
    return Saying()


async def waiting(replica: Replica) -> list[str]:
    rows = await query(
        replica.database, "SELECT trigger_id FROM timer WHERE open = 1 ORDER BY trigger_id"
    )
    return [row["trigger_id"] for row in rows]


async def test_it_begins_when_it_is_due_and_not_before(
    replicas: Replicas, handler: Saying, rooms: Rooms
) -> None:
    replica = await replicas.add(handler)
    table = TimerTable(replica.database)
    other = TimerName(namespace="assistant", room_id=RoomID("!room"), name="bath")
    await table.put(a_timer(after=SOON))
    await table.put(a_timer(name=other, text="much later"))
    await replica.start()

    await until_ended(replica.database, a_timer().trigger_id)

    assert rooms.said() == ["done"]
    assert (await turn_states(replica.database))[a_timer(name=other).trigger_id] == "queued"


async def test_of_several_set_at_once_under_one_name_one_is_left(
    replicas: Replicas, handler: Saying
) -> None:
    replica = await replicas.add(handler)
    table = TimerTable(replica.database)

    await asyncio.gather(*(table.put(a_timer(asked_by=f"${n}")) for n in range(8)))

    states = await turn_states(replica.database)
    assert sorted(states.values()) == ["cancelled"] * 7 + ["queued"]
    assert await waiting(replica) == [name for name, state in states.items() if state == "queued"]


async def test_a_run_that_is_repeated_sets_the_same_one(
    replicas: Replicas, handler: Saying, rooms: Rooms
) -> None:
    replica = await replicas.add(handler)
    table = TimerTable(replica.database)
    await table.put(a_timer(text="first"))
    await table.put(a_timer(text="second", after=timedelta(0)))
    await replica.start()
    await until_ended(replica.database)
    await table.put(a_timer(text="third", after=timedelta(0)))

    assert list((await turn_states(replica.database)).values()) == ["done"]
    assert rooms.said() == ["second"]


async def test_one_that_was_taken_back_can_be_set_again(
    replicas: Replicas, handler: Saying, rooms: Rooms
) -> None:
    replica = await replicas.add(handler)
    table = TimerTable(replica.database)
    await table.put(a_timer(text="first"))
    assert await table.drop(OVEN)
    await table.put(a_timer(text="second", after=timedelta(0)))
    await replica.start()

    await until_ended(replica.database)

    assert rooms.said() == ["second"]


async def test_one_that_has_begun_cannot_be_taken_back(
    replicas: Replicas, handler: Saying
) -> None:
    replica = await replicas.add(handler)
    table = TimerTable(replica.database)
    await table.put(a_timer(after=timedelta(0)))
    [(_, turn)] = await replica.store.claim(LaneKind.JOB, 1)

    assert not await table.drop(OVEN)

    assert turn.input == {"text": "done"}
    assert (await turn_states(replica.database))[turn.trigger_id] == "running"


async def test_whoever_is_first_wins_between_taking_back_and_beginning(
    replicas: Replicas, handler: Saying
) -> None:
    replica = await replicas.add(handler)
    table = TimerTable(replica.database)
    for n in range(10):
        name = TimerName(namespace="assistant", room_id=RoomID("!room"), name=f"n{n}")
        await table.put(a_timer(name=name, after=timedelta(0)))
        claimed, dropped = await asyncio.gather(
            replica.store.claim(LaneKind.JOB, 1), table.drop(name)
        )

        assert bool(claimed) is not dropped
        for lease, turn in claimed:
            assert turn.state == "running"
            await replica.store.finish(lease, turn, "done", go_on=False)


async def test_two_replicas_say_it_once(
    postgres_replicas: Replicas, handler: Saying, rooms: Rooms
) -> None:
    both = [await postgres_replicas.add(handler), await postgres_replicas.add(handler)]
    table = TimerTable(both[0].database)
    names = [TimerName(namespace="a", room_id=RoomID("!room"), name=str(n)) for n in range(20)]
    for name in names:
        await table.put(a_timer(name=name, after=SOON, text=name.name))
    for replica in both:
        await replica.start()

    await until_ended(both[0].database)

    assert sorted(rooms.said(), key=int) == [name.name for name in names]


async def test_another_replica_says_what_a_crashed_one_had_begun(
    postgres_replicas: Replicas, handler: Saying, rooms: Rooms
) -> None:
    crashed, heir = await postgres_replicas.add(handler), await postgres_replicas.add(handler)
    await TimerTable(crashed.database).put(a_timer(after=timedelta(0)))

    async def is_claimed() -> bool:
        return bool(await crashed.store.claim(LaneKind.JOB, 1))

    await until(is_claimed)
    await heir.forget_leases(crashed.owner)
    await heir.start()

    await until_ended(heir.database)

    assert rooms.said() == ["done"]


async def test_a_question_that_begins_anew_has_no_timers_of_its_old_words(
    replicas: Replicas, handler: Saying
) -> None:
    replica = await replicas.add(handler)
    table = TimerTable(replica.database)
    await replica.inbox.store([trigger("$a", text="in an hour")])
    await replica.store.claim(LaneKind.ASK, 1)
    await table.put(a_timer())

    revisions = Revisions(replica.database, [table])
    replaced = await revisions.replace(trigger("$a", text="in two hours"), reopen=False)

    assert replaced is Replaced.RESTARTED
    assert await waiting(replica) == []
    assert (await turn_states(replica.database))[a_timer().trigger_id] == "cancelled"


async def test_a_room_we_have_left_has_none(replicas: Replicas, handler: Saying) -> None:
    replica = await replicas.add(handler)
    table = TimerTable(replica.database)
    other = TimerName(namespace="assistant", room_id=RoomID("!other"), name="oven")
    await table.put(a_timer())
    await table.put(a_timer(name=other))

    assert await table.drop_room(RoomID("!room")) == 1

    assert await waiting(replica) == [a_timer(name=other).trigger_id]


async def test_a_person_may_have_so_many_and_the_refused_one_leaves_nothing(
    replicas: Replicas, handler: Saying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lycatra_appservice.turns.timers.MOST_OF_PERSON", 1)
    replica = await replicas.add(handler)
    table = TimerTable(replica.database)
    await table.put(a_timer())
    other = TimerName(namespace="assistant", room_id=RoomID("!other"), name="bath")

    with pytest.raises(TooManyTimersError):
        await table.put(a_timer(name=other))

    assert list(await turn_states(replica.database)) == [a_timer().trigger_id]


async def test_ended_turns_take_their_timers_along(replicas: Replicas, handler: Saying) -> None:
    replica = await replicas.add(handler)
    await TimerTable(replica.database).put(a_timer(after=timedelta(0)))
    await replica.start()
    await until_ended(replica.database)
    await query(replica.database, "UPDATE turn SET finished_at = 0")

    await replica.upkeep.forget(turns=DAY, sends=DAY, dead_letters=DAY)

    assert await query(replica.database, "SELECT * FROM timer") == []
