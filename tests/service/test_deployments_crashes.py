"""kill -9 in every phase of a deployment: the next start goes on, and everything is done once."""

import sys
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON
from tests.support.docker_swaps import SwappingEngine, on_socket
from tests.support.gates import Gates
from tests.support.proxy import Mode
from tests.support.rollout import CURRENT, Rollout, open_rollout
from tests.support.stage import Stage
from tests.support.waiting import until

# Runs a program when it has a lock, as `flock` does; it waits as long as somebody else has it.
_LOCKED = """
import fcntl, subprocess, sys
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    sys.exit(subprocess.run(sys.argv[2:]).returncode)
"""
_OLD, _NEW = "ghcr.test/web:v1", "ghcr.test/web:v2"


async def look_within(rollout: Rollout, step: str) -> int:
    """The program that looks what runs, while this step is begun; the looks before go on."""
    seen = len(rollout.gates.visits("look"))
    while True:
        seen += 1
        program = await rollout.gates.reached("look", seen)
        if await rollout.is_begun(step):
            return program
        rollout.gates.hold("look", first=seen + 1)


@pytest.mark.slow
async def test_a_crash_between_the_card_and_the_vote_changes_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        request = await rollout.room.ask("!deploy web v2")
        card = await rollout.card_of(request)
        rollout.crash()
        await rollout.approve(card)
        await rollout.replica.start()
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
@pytest.mark.parametrize("is_begun", [False, True])
async def test_a_crash_in_the_plan_after_the_vote_is_made_up_for(
    stage: Stage, tmp_path: Path, *, is_begun: bool
) -> None:
    look = Gates(tmp_path).around("look", "looked", [*CURRENT, str(tmp_path)])
    async with open_rollout(stage, tmp_path, change={"current": look}) as rollout:
        request = await rollout.room.ask("!deploy web v2")
        card = await rollout.card_of(request)
        await rollout.tables.until_idle()
        before = len(rollout.gates.visits("look"))
        rollout.gates.hold("look", first=before + 1)
        await rollout.approve(card)
        if is_begun:
            program = await look_within(rollout, "begin")
        else:
            program = await rollout.gates.reached("look", before + 1)
            assert not await rollout.is_begun("begin")
        rollout.crash(program)
        rollout.gates.let_go("look")
        await rollout.replica.start()
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_a_crash_in_the_canary_tries_it_out_again_before_anything_is_changed(
    stage: Stage, tmp_path: Path
) -> None:
    canary = Gates(tmp_path).around("canary", "tried", [sys.executable, "-c", "", "{version}"])
    async with open_rollout(stage, tmp_path, change={"canary": canary}) as rollout:
        rollout.gates.hold("canary")
        request = await rollout.ask_and_approve("!deploy web v2")
        program = await rollout.gates.reached("canary")
        rollout.crash(program)
        assert rollout.swaps() == []
        rollout.gates.let_go("canary")
        await rollout.replica.start()
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]
        assert len(rollout.gates.visits("canary")) == 2


@pytest.mark.slow
async def test_a_crash_before_the_swap_is_made_up_for(stage: Stage, tmp_path: Path) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        rollout.gates.hold("apply")
        request = await rollout.ask_and_approve("!deploy web v2")
        program = await rollout.gates.reached("apply")
        rollout.crash(program)
        rollout.gates.let_go("apply")
        await rollout.replica.start()
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_a_crash_after_the_swap_goes_on_without_another_one(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        rollout.gates.hold("applied")
        request = await rollout.ask_and_approve("!deploy web v2")
        program = await rollout.gates.reached("applied")
        rollout.crash(program)
        await rollout.replica.start()
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_where_nobody_can_see_how_far_it_came_a_crash_leads_back(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path, change={"current": None}) as rollout:
        await rollout.ended_well(await rollout.ask_and_approve("!deploy web v2"), "v2")
        rollout.gates.hold("apply")
        request = await rollout.ask_and_approve("!deploy web v6")
        program = await rollout.gates.reached("apply", 2)
        rollout.crash(program)
        rollout.gates.let_go("apply")
        await rollout.replica.start()
        await rollout.went_back(request, "v2")
        assert rollout.swaps() == ["v2", "v2"]


@pytest.mark.slow
async def test_a_program_that_outlives_the_crash_is_waited_for_by_its_lock(
    stage: Stage, tmp_path: Path
) -> None:
    lock, gates = tmp_path / "lock", Gates(tmp_path)
    in_lock = [sys.executable, "-c", _LOCKED, str(lock)]
    swap = [*CURRENT[:-1], "swap", str(tmp_path), "{version}"]
    change: dict[str, JSON] = {
        "apply": [*in_lock, *gates.around("apply", "applied", swap)],
        "current": gates.around("look", "looked", [*in_lock, *CURRENT, str(tmp_path)]),
    }
    async with open_rollout(stage, tmp_path, change=change) as rollout:
        rollout.gates.hold("apply")
        request = await rollout.ask_and_approve("!deploy web v2")
        await rollout.gates.reached("apply")
        looks = len(rollout.gates.visits("look"))
        rollout.crash()
        await rollout.replica.start()
        await rollout.gates.reached("look", looks + 1)
        rollout.gates.let_go("apply")
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_a_crash_in_the_health_check_looks_again(stage: Stage, tmp_path: Path) -> None:
    async with open_rollout(stage, tmp_path, change={"health_seconds": 60}) as rollout:
        rollout.health.hold()
        request = await rollout.ask_and_approve("!deploy web v2")
        await rollout.health.reached()
        rollout.crash()
        rollout.health.let_go()
        await rollout.replica.start()
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
@pytest.mark.parametrize("is_still_well", [True, False])
async def test_a_crash_while_it_is_watched_watches_it_again(
    stage: Stage, tmp_path: Path, *, is_still_well: bool
) -> None:
    async with open_rollout(stage, tmp_path, change={"health_seconds": 60}) as rollout:
        rollout.health.hold()
        request = await rollout.ask_and_approve("!deploy web v2")
        await rollout.asked_within("watch")
        rollout.crash()
        rollout.health.let_go()
        if is_still_well:
            await rollout.replica.start()
            await rollout.ended_well(request, "v2")
            assert rollout.swaps() == ["v2"]
        else:
            rollout.fall_ill("v2")
            await rollout.replica.start()
            await rollout.went_back(request, "v1")
            assert rollout.swaps() == ["v2", "v1"]


@pytest.mark.slow
@pytest.mark.parametrize("gate", ["rollback", "rolled-back"])
async def test_a_crash_in_the_roll_back_rolls_back(
    stage: Stage, tmp_path: Path, gate: str
) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        rollout.gates.hold(gate)
        request = await rollout.ask_and_approve("!deploy web v3")
        program = await rollout.gates.reached(gate)
        rollout.crash(program)
        rollout.gates.let_go(gate)
        await rollout.replica.start()
        await rollout.went_back(request, "v1")
        assert rollout.swaps() == ["v3", "v1"]


@pytest.mark.slow
async def test_a_crash_in_the_health_check_after_the_roll_back_looks_again(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        rollout.gates.hold("rollback")
        request = await rollout.ask_and_approve("!deploy web v3")
        await rollout.gates.reached("rollback")
        rollout.health.hold()
        rollout.gates.let_go("rollback")
        await rollout.health.reached()
        assert await rollout.is_begun("health check after the roll-back")
        rollout.crash()
        rollout.health.let_go()
        await rollout.replica.start()
        await rollout.went_back(request, "v1")
        assert rollout.swaps() == ["v3", "v1"]


@pytest.mark.slow
async def test_a_crash_while_the_report_is_sent_reports_once(stage: Stage, tmp_path: Path) -> None:
    homeserver = await stage.homeserver_proxy()
    async with open_rollout(stage, tmp_path, homeserver_url=homeserver.url) as rollout:
        rollout.gates.hold("applied")
        request = await rollout.ask_and_approve("!deploy web v2")
        await rollout.gates.reached("applied")
        homeserver.set(Mode.HOLD_ANSWERS, only="runs v2")
        rollout.gates.let_go("applied")
        await rollout.marked(request, "message")
        rollout.crash()
        homeserver.cut()
        homeserver.set(Mode.PASS)
        await rollout.replica.start()
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "request_of_ours",
    [
        "POST /containers/web.lycatra-canary/start",
        "POST /containers/web/rename",
        "DELETE /containers/web.lycatra-old",
    ],
)
async def test_a_crash_between_two_calls_of_an_engine_comes_to_the_same_end(
    stage: Stage, tmp_path: Path, request_of_ours: str
) -> None:
    """In the canary, in the middle of the exchange, and while what was held ready is removed."""
    engine = SwappingEngine()
    engine.registry = {_OLD: {}, _NEW: {}}
    engine.pulled[_OLD] = {}
    engine.add("web", _OLD, status="running")
    async with on_socket(engine, tmp_path / "docker.sock") as address:
        change: dict[str, JSON] = {
            "kind": "docker",
            "container": "web",
            "engine": address,
            "canary": True,
            "steady_seconds": 0,
        }
        change |= dict.fromkeys(("apply", "rollback", "current", "shown", "health"))
        async with open_rollout(stage, tmp_path, change=change) as rollout:
            engine.kill_after, engine.kill = request_of_ours, rollout.crash
            request = await rollout.ask_and_approve("!deploy web v2")

            async def is_crashed() -> bool:
                return not rollout.replica.child.is_running

            await until(is_crashed, f"the crash after {request_of_ours}")
            await rollout.replica.start()
            assert "`web` runs v2" in await rollout.report_on(request)
            assert (await rollout.room.findings()).clean
            assert engine.images() == {"web": _NEW}
            assert engine.containers["web"].status == "running"
