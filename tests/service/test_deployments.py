"""Deployments on a real Synapse, of a real process behind a health check."""

import sys
from pathlib import Path

import pytest

from lycatra_appservice.model import EventID
from tests.support.oracle import examine
from tests.support.proxy import Mode
from tests.support.rollout import Rollout, end, gated, open_rollout
from tests.support.stage import Stage
from tests.support.waiting import until


async def ended_well(rollout: Rollout, request: EventID, version: str) -> None:
    """One report says so, and so does the service."""
    assert f"`web` runs {version}" in await rollout.report_on(request)
    assert await rollout.version() == version
    assert examine(await rollout.room.events(), rollout.room.asked).clean


async def went_back(rollout: Rollout, request: EventID, version: str) -> None:
    """One report says so, and so does the service."""
    assert f"`web` was rolled back to {version}" in await rollout.report_on(request)
    assert await rollout.version() == version


async def test_what_is_approved_is_brought_and_what_is_ill_is_taken_back(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        good = await rollout.room.ask("!deploy web v2")
        card = await rollout.card_of(good)
        assert "brings `web` from v1 to v2" in card["content"]["body"]
        await rollout.room.person.react(rollout.room.room_id, EventID(card["event_id"]), "✅")
        assert rollout.swaps() == []
        await rollout.approve(card)
        await ended_well(rollout, good, "v2")

        bad = await rollout.ask_and_approve("!deploy web v3")
        await went_back(rollout, bad, "v2")
        await rollout.until_told("health check, 2 of 3")

        told = await rollout.room.said_to("!list deployments")
        assert "v3" in told
        assert told.count(rollout.operator.localpart) == 2
        assert rollout.swaps() == ["v2", "v3", "v2"]
        again = await rollout.room.said_to("!deploy web v2")
        assert "runs v2 already" in again


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
        await ended_well(rollout, request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_a_crash_before_the_swap_is_made_up_for(stage: Stage, tmp_path: Path) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        rollout.hold("apply")
        request = await rollout.ask_and_approve("!deploy web v2")
        program = await rollout.reached("apply")
        rollout.crash(program)
        rollout.let_go("apply")
        await rollout.replica.start()
        await ended_well(rollout, request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_where_nobody_can_see_how_far_it_came_a_crash_leads_back(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path, change={"current": None}) as rollout:
        await ended_well(rollout, await rollout.ask_and_approve("!deploy web v2"), "v2")
        rollout.hold("apply")
        request = await rollout.ask_and_approve("!deploy web v6")
        program = await rollout.reached("apply", 2)
        rollout.crash(program)
        rollout.let_go("apply")
        await rollout.replica.start()
        await went_back(rollout, request, "v2")
        assert rollout.swaps() == ["v2", "v2"]


@pytest.mark.slow
async def test_a_crash_after_the_swap_goes_on_without_another_one(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        rollout.hold("applied")
        request = await rollout.ask_and_approve("!deploy web v2")
        program = await rollout.reached("applied")
        rollout.crash(program)
        await rollout.replica.start()
        await ended_well(rollout, request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_a_crash_in_the_canary_tries_it_out_again_before_anything_is_changed(
    stage: Stage, tmp_path: Path
) -> None:
    canary = gated(tmp_path, "canary", "tried", [sys.executable, "-c", "pass", "{version}"])
    async with open_rollout(stage, tmp_path, change={"canary": canary}) as rollout:
        rollout.hold("canary")
        request = await rollout.ask_and_approve("!deploy web v2")
        program = await rollout.reached("canary")
        rollout.crash(program)
        assert rollout.swaps() == []
        rollout.let_go("canary")
        await rollout.replica.start()
        await ended_well(rollout, request, "v2")
        assert rollout.swaps() == ["v2"]
        assert len(rollout.visits("canary")) == 2


@pytest.mark.slow
async def test_a_crash_in_the_health_check_looks_again(stage: Stage, tmp_path: Path) -> None:
    async with open_rollout(stage, tmp_path, change={"health_seconds": 60}) as rollout:
        rollout.fall_ill("v2")
        request = await rollout.ask_and_approve("!deploy web v2")
        await rollout.until_told("health check, 2 of 3")
        rollout.crash()
        rollout.recover("v2")
        await rollout.replica.start()
        await ended_well(rollout, request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
@pytest.mark.parametrize("is_still_well", [True, False])
async def test_a_crash_while_it_is_watched_watches_it_again(
    stage: Stage, tmp_path: Path, *, is_still_well: bool
) -> None:
    async with open_rollout(stage, tmp_path, change={"watch_seconds": 5}) as rollout:
        request = await rollout.ask_and_approve("!deploy web v2")
        await rollout.until_told("watch, 3 of 3")
        rollout.crash()
        if is_still_well:
            await rollout.replica.start()
            await ended_well(rollout, request, "v2")
            assert rollout.swaps() == ["v2"]
        else:
            rollout.fall_ill("v2")
            await rollout.replica.start()
            await went_back(rollout, request, "v1")
            assert rollout.swaps() == ["v2", "v1"]


@pytest.mark.slow
async def test_a_crash_in_the_roll_back_rolls_back(stage: Stage, tmp_path: Path) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        rollout.hold("rollback")
        request = await rollout.ask_and_approve("!deploy web v3")
        program = await rollout.reached("rollback")
        rollout.crash(program)
        rollout.let_go("rollback")
        await rollout.replica.start()
        await went_back(rollout, request, "v1")
        assert rollout.swaps() == ["v3", "v1"]


@pytest.mark.slow
async def test_a_crash_in_the_health_check_after_the_roll_back_looks_again(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path, change={"health_seconds": 4}) as rollout:
        rollout.hold("rollback")
        request = await rollout.ask_and_approve("!deploy web v3")
        await rollout.reached("rollback")
        rollout.fall_ill("v1")
        rollout.let_go("rollback")
        await rollout.until_told("health check after the roll-back")
        rollout.crash()
        rollout.recover("v1")
        await rollout.replica.start()
        await went_back(rollout, request, "v1")
        assert rollout.swaps() == ["v3", "v1"]


@pytest.mark.slow
async def test_another_replica_goes_on_with_the_deployment_of_a_killed_one(
    stage: Stage, tmp_path: Path, postgres_dsn: str
) -> None:
    opened = open_rollout(stage, tmp_path, database_url=postgres_dsn, replicas=2)
    async with opened as rollout:
        rollout.hold("applied")
        request = await rollout.ask_and_approve("!deploy web v2")
        program = await rollout.reached("applied")
        rollout.at_work("applied").kill()
        end(program)
        await ended_well(rollout, request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 2])
async def test_a_deployment_that_replaces_lycatra_itself_is_reported_by_the_new_one(
    stage: Stage, tmp_path: Path, postgres_dsn: str, *, replicas: int
) -> None:
    opened = open_rollout(
        stage,
        tmp_path,
        change={"itself": True, "health_seconds": 60},
        database_url=postgres_dsn if replicas > 1 else None,
        replicas=replicas,
    )
    async with opened as rollout:
        rollout.hold("applied")
        request = await rollout.ask_and_approve("!deploy web v2")
        await rollout.reached("applied")
        for old in rollout.replicas:  # one after the other, as who replaces them does
            await old.stop()
            await old.start()
        rollout.let_go("applied")
        await ended_well(rollout, request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_a_lycatra_that_does_not_become_well_is_taken_back_by_the_old_one(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path, change={"itself": True}) as rollout:
        rollout.hold("applied")
        request = await rollout.ask_and_approve("!deploy web v3")
        await rollout.reached("applied")
        await rollout.replica.stop()
        await rollout.replica.start()
        rollout.let_go("applied")
        await went_back(rollout, request, "v1")
        assert rollout.swaps() == ["v3", "v1"]


@pytest.mark.slow
async def test_a_deployment_goes_on_while_the_homeserver_is_away_and_is_reported_later(
    stage: Stage, tmp_path: Path
) -> None:
    homeserver = await stage.homeserver_proxy()
    async with open_rollout(stage, tmp_path, homeserver_url=homeserver.url) as rollout:
        rollout.hold("apply")
        request = await rollout.ask_and_approve("!deploy web v2")
        await rollout.reached("apply")
        homeserver.set(Mode.REFUSE)
        homeserver.cut()
        rollout.let_go("apply")

        async def done() -> bool:
            return bool(await rollout.tables.rows("SELECT 1 FROM approval WHERE outcome = 'done'"))

        await until(done, "the end of the deployment")
        assert await rollout.version() == "v2"
        homeserver.set(Mode.PASS)
        await ended_well(rollout, request, "v2")


@pytest.mark.slow
async def test_a_vote_on_an_expired_card_gives_a_fresh_one_in_the_voters_name(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path, approvals={"lifetime": "3s"}) as rollout:
        card = await rollout.card_of(await rollout.room.ask("!deploy web v2"))
        await rollout.until_told("Nobody decided in time")
        await rollout.approve(card)
        await rollout.until_told(f"asked by `{rollout.operator.user_id}`")
        fresh = await rollout.last_card()
        assert fresh["event_id"] != card["event_id"]
        assert rollout.swaps() == []
        await rollout.approve(fresh)
        await rollout.until_told("`web` runs v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_a_newer_request_supersedes_a_card_that_says_so(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        old = await rollout.card_of(await rollout.room.ask("!deploy web v3"))
        request = await rollout.room.ask("!deploy web v2")
        new = await rollout.card_of(request)
        await rollout.until_told("newer")
        await rollout.approve(old)
        await rollout.approve(new)
        await ended_well(rollout, request, "v2")
        assert rollout.swaps() == ["v2"]
