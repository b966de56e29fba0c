"""Deployments by two replicas: one dies, one freezes; nothing is brought or reported twice."""

import signal
from pathlib import Path

import pytest

from lycatra_appservice.model import EventID
from tests.support.gates import end, is_alive
from tests.support.rollout import open_rollout
from tests.support.stage import Stage
from tests.support.waiting import until


@pytest.mark.slow
@pytest.mark.parametrize("gate", ["apply", "applied"])
async def test_another_replica_goes_on_with_the_deployment_of_a_killed_one(
    stage: Stage, tmp_path: Path, postgres_dsn: str, gate: str
) -> None:
    opened = open_rollout(stage, tmp_path, database_url=postgres_dsn, replicas=2)
    async with opened as rollout:
        rollout.gates.hold(gate, last=1)
        request = await rollout.ask_and_approve("!deploy web v2")
        program = await rollout.gates.reached(gate)
        rollout.at_work(gate).kill()
        end(program)
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
@pytest.mark.parametrize("gate", ["rollback", "rolled-back"])
async def test_another_replica_goes_on_with_the_roll_back_of_a_killed_one(
    stage: Stage, tmp_path: Path, postgres_dsn: str, gate: str
) -> None:
    opened = open_rollout(stage, tmp_path, database_url=postgres_dsn, replicas=2)
    async with opened as rollout:
        rollout.gates.hold(gate, last=1)
        request = await rollout.ask_and_approve("!deploy web v3")
        program = await rollout.gates.reached(gate)
        rollout.at_work(gate).kill()
        end(program)
        await rollout.went_back(request, "v1")
        assert rollout.swaps() == ["v3", "v1"]


@pytest.mark.slow
@pytest.mark.parametrize("gate", ["apply", "applied"])
async def test_a_replica_that_wakes_up_in_the_middle_brings_and_reports_nothing_more(
    stage: Stage, tmp_path: Path, postgres_dsn: str, gate: str
) -> None:
    opened = open_rollout(stage, tmp_path, database_url=postgres_dsn, replicas=2)
    async with opened as rollout:
        rollout.gates.hold(gate, last=1)
        request = await rollout.ask_and_approve("!deploy web v2")
        program = await rollout.gates.reached(gate)
        frozen = rollout.at_work(gate)
        frozen.signal(signal.SIGSTOP)
        stage.proxy.targets.remove(frozen.port)  # as a load balancer would
        stage.proxy.cut()
        await rollout.ended_well(request, "v2")
        frozen.signal(signal.SIGCONT)

        async def is_ended() -> bool:
            return not is_alive(program)

        await until(is_ended, "the end of the program of the woken replica")
        assert frozen.records("lease_lost") or frozen.records("lane_lost")
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_while_one_replica_deploys_nobody_else_begins_with_the_same_service(
    stage: Stage, tmp_path: Path, postgres_dsn: str
) -> None:
    opened = open_rollout(stage, tmp_path, database_url=postgres_dsn, replicas=2)
    async with opened as rollout:
        elsewhere = await stage.room(rollout.room.person)
        waits = await rollout.room.ask("!deploy web v2")
        card = await rollout.card_of(waits)
        rollout.gates.hold("applied")
        await rollout.approve(card)
        await rollout.gates.reached("applied")
        refused = await elsewhere.said_to("!deploy web v6")
        assert "`web` is being deployed: v2" in refused
        assert "wait" in refused.casefold()
        assert "under way" in await elsewhere.said_to("!list deployments web")
        rollout.gates.let_go("applied")
        await rollout.ended_well(waits, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_a_vote_that_reaches_both_replicas_at_once_deploys_once(
    stage: Stage, tmp_path: Path, postgres_dsn: str
) -> None:
    opened = open_rollout(stage, tmp_path, database_url=postgres_dsn, replicas=2)
    async with opened as rollout:
        request = await rollout.room.ask("!deploy web v2")
        card = await rollout.card_of(request)
        stage.proxy.targets.clear()
        stage.proxy.cut()
        await rollout.approve(card)
        await rollout.approve(card, "👍")
        votes = [
            {**event, "room_id": rollout.room.room_id}
            for event in await rollout.room.events()
            if event["content"].get("m.relates_to", {}).get("event_id")
            == EventID(card["event_id"])
            and event["sender"] == rollout.operator.user_id
        ]
        assert len(votes) == 2
        for each in rollout.replicas:
            assert (await stage.pusher(each).push(votes)).status == 200
        stage.proxy.targets.extend(each.port for each in rollout.replicas)
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]
