"""Two replicas on one Postgres: one dies, one leaves, one freezes; nobody is answered twice."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON
from tests.support.gate import Gate
from tests.support.lycatra import Lycatra
from tests.support.stage import Room, Stage
from tests.support.tables import Tables
from tests.support.waiting import until

ROOMS = 6
MESSAGES = 30
COMMANDS = ("!list updates", "!get service status", "!help")


async def two_replicas(
    stage: Stage, dsn: str, more: dict[str, JSON] | None = None
) -> tuple[Lycatra, Lycatra]:
    first, second = [await stage.replica(dsn, more=more) for _ in range(2)]
    await first.start()
    await second.start()
    return first, second


async def rooms_for_load(stage: Stage) -> list[Room]:
    """Rooms in which all virtual users are present already."""
    person = await stage.person()
    rooms = [await stage.room(person) for _ in range(ROOMS)]
    await asyncio.gather(*(room.said_to(words) for room in rooms for words in COMMANDS))
    for room in rooms:
        room.asked.clear()
    return rooms


async def ask_everywhere(rooms: Sequence[Room]) -> None:
    for n in range(MESSAGES):
        await rooms[n % len(rooms)].ask(COMMANDS[n % len(COMMANDS)])


async def assert_all_answered_once(rooms: Sequence[Room], tables: Tables) -> None:
    for room in rooms:
        await room.answers()
    await tables.until_idle()
    for room in rooms:
        asked = set(room.asked)
        findings = await room.findings()
        assert not findings.lost
        assert not findings.doubled
        assert not findings.disordered
        assert len(asked) == MESSAGES // ROOMS


@pytest.mark.slow
async def test_a_replica_killed_under_load_loses_doubles_and_disorders_nothing(
    stage: Stage, postgres_dsn: str
) -> None:
    first, _ = await two_replicas(stage, postgres_dsn)
    rooms = await rooms_for_load(stage)
    asking = asyncio.create_task(ask_everywhere(rooms))

    async def half_asked() -> bool:
        return sum(len(room.asked) for room in rooms) >= MESSAGES // 2

    await until(half_asked, "half of the load")
    first.kill()
    await asking
    await assert_all_answered_once(rooms, Tables(postgres_dsn))


@pytest.mark.slow
async def test_a_replica_stopped_under_load_loses_doubles_and_disorders_nothing(
    stage: Stage, postgres_dsn: str
) -> None:
    first, _ = await two_replicas(stage, postgres_dsn)
    rooms = await rooms_for_load(stage)
    asking = asyncio.create_task(ask_everywhere(rooms))

    async def half_asked() -> bool:
        return sum(len(room.asked) for room in rooms) >= MESSAGES // 2

    await until(half_asked, "half of the load")
    first.signal(signal.SIGTERM)
    await asking
    await assert_all_answered_once(rooms, Tables(postgres_dsn))
    assert await first.stop() == 0


@pytest.mark.slow
async def test_a_stopping_replica_hands_its_turn_over_long_before_the_lease_ends(
    stage: Stage, postgres_dsn: str
) -> None:
    async with Gate() as gate:
        more = {
            "turns": {"lease": "1h", "drain": "0.5s"},
            "tools": gate.as_tools(),
        }
        first, second = [await stage.replica(postgres_dsn, more=more) for _ in range(2)]
        await first.start()
        room = await stage.room()
        asked = await room.ask("!get service status")
        await gate.reached()
        await second.start()
        assert await first.stop() == 0
        await gate.reached(2)
        gate.open()
        await room.answer_to(asked)
        assert (await room.settled(Tables(postgres_dsn))).clean


@pytest.mark.slow
async def test_the_turn_of_a_killed_replica_goes_on_elsewhere(
    stage: Stage, postgres_dsn: str
) -> None:
    async with Gate() as gate:
        more = {"turns": {"lease": "5s"}, "tools": gate.as_tools()}
        first, second = [await stage.replica(postgres_dsn, more=more) for _ in range(2)]
        await first.start()
        room = await stage.room()
        asked = await room.ask("!get service status")
        await gate.reached()
        await second.start()
        first.kill()
        await gate.reached(2)
        gate.open()
        await room.answer_to(asked)
        assert (await room.settled(Tables(postgres_dsn))).clean


@pytest.mark.slow
async def test_a_replica_that_wakes_up_after_its_lease_says_nothing_twice(
    stage: Stage, postgres_dsn: str
) -> None:
    async with Gate() as gate:
        more = {"turns": {"lease": "2s"}, "tools": gate.as_tools()}
        first, second = [await stage.replica(postgres_dsn, more=more) for _ in range(2)]
        await first.start()
        room = await stage.room()
        asked = await room.ask("!get service status")
        await gate.reached()
        first.signal(signal.SIGSTOP)
        stage.proxy.targets.remove(first.port)  # as a load balancer would
        stage.proxy.cut()
        await second.start()
        await gate.reached(2)
        gate.open()
        await room.answer_to(asked)
        first.signal(signal.SIGCONT)

        async def gave_up() -> bool:
            return bool(first.records("lease_lost") or first.records("lane_lost"))

        await until(gave_up, "the woken replica giving up its turn")
        assert (await room.settled(Tables(postgres_dsn))).clean


async def test_an_event_pushed_to_both_replicas_at_once_is_answered_once(
    stage: Stage, postgres_dsn: str, tmp_path: Path
) -> None:
    first, second = await two_replicas(stage, postgres_dsn)
    room = await stage.room()
    asked = await room.ask("!list updates")
    seen = next(event for event in await room.events() if event["event_id"] == asked)
    copies = [{**seen, "room_id": room.room_id}] * 3
    answers = await asyncio.gather(
        *(
            stage.pusher(replica).push(copies, txn=txn)
            for replica in (first, second)
            for txn in ("same", "same", None)
        )
    )
    assert {answer.status for answer in answers} == {200}
    await room.answers()
    assert (await room.settled(Tables(postgres_dsn))).clean


@pytest.mark.slow
async def test_only_one_of_two_replicas_leads_and_the_other_follows_when_it_dies(
    stage: Stage, postgres_dsn: str
) -> None:
    first, second = await two_replicas(stage, postgres_dsn)
    await first.until_logged("leading")
    room = await stage.room()
    await room.said_to("!help")
    assert not second.records("leading")
    first.kill()
    await second.until_logged("leading")
    assert (await room.settled(Tables(postgres_dsn))).clean
