"""Deployments on a real Synapse, of a real process behind a health check."""

from pathlib import Path

import pytest

from lycatra_appservice.model import EventID
from tests.support.proxy import Mode
from tests.support.rollout import open_rollout
from tests.support.stage import Stage

THUMB = "👍"


@pytest.mark.slow
async def test_what_is_approved_is_brought_and_what_is_ill_is_taken_back(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        good = await rollout.room.ask("!deploy web v2")
        card = await rollout.card_of(good)
        assert "brings `web` from v1 to v2" in card["content"]["body"]
        assert card["content"]["m.mentions"] == {"user_ids": [rollout.operator.user_id]}
        await rollout.approve(card, THUMB)
        await rollout.ended_well(good, "v2")

        bad = await rollout.ask_and_approve("!deploy web v3")
        await rollout.went_back(bad, "v2")

        told = await rollout.room.said_to("!list deployments")
        assert "v3" in told
        assert told.count(rollout.operator.localpart) == 2
        assert rollout.swaps() == ["v2", "v3", "v2"]
        again = await rollout.room.said_to("!deploy web v2")
        assert "runs v2 already" in again


@pytest.mark.slow
async def test_who_may_not_approve_changes_nothing_and_is_told_so(
    stage: Stage, tmp_path: Path
) -> None:
    """Neither a viewer, nor an operator who is none of the approvers."""
    async with open_rollout(stage, tmp_path) as rollout:
        viewer = await stage.person()
        await rollout.room.person.invite(rollout.room.room_id, viewer.user_id)
        await viewer.join(rollout.room.room_id)
        refused = await viewer.send_text(rollout.room.room_id, "!deploy web v2")
        rollout.room.asked.append(refused)
        assert (await rollout.room.answer_to(refused))["content"]["body"]
        assert not await rollout.cards()

        request = await rollout.room.ask("!deploy web v2")
        card = await rollout.card_of(request)
        for each in (viewer, rollout.room.person):
            await each.react(rollout.room.room_id, EventID(card["event_id"]), THUMB)
            await rollout.until_told(f"does not count here, `{each.user_id}`")
        await rollout.tables.until_idle()
        assert rollout.swaps() == []
        assert await rollout.version() == "v1"

        await rollout.approve(card, THUMB)
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_the_phases_are_edits_of_one_message_and_the_end_is_a_new_one(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path, change={"health_seconds": 60}) as rollout:
        rollout.gates.hold("apply")
        rollout.health.hold()
        request = await rollout.ask_and_approve("!deploy web v2")
        [shown] = await rollout.marked(request, "progress")
        assert "`web` v2: apply, 1 of 3" in shown["content"]["body"]

        rollout.gates.let_go("apply")
        await rollout.health.reached()
        await rollout.until_edited(shown, "`web` v2: health check, 2 of 3")
        await rollout.asked_within("watch")
        await rollout.until_edited(shown, "`web` v2: watch, 3 of 3")
        rollout.health.let_go()
        await rollout.ended_well(request, "v2")

        assert len(await rollout.marked(request, "progress")) == 1
        assert "Finished" in (await rollout.edits_of(shown))[-1]
        [end] = await rollout.marked(request, "message")
        assert end["content"]["msgtype"] == "m.text"
        assert rollout.room.person.user_id in end["content"]["m.mentions"]["user_ids"]


@pytest.mark.slow
async def test_a_vote_on_an_expired_card_gives_a_fresh_one_in_the_voters_name(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path, approvals={"lifetime": "3s"}) as rollout:
        card = await rollout.card_of(await rollout.room.ask("!deploy web v2"))
        await rollout.until_edited(card, "Nobody decided in time")
        await rollout.approve(card)
        fresh = await rollout.card_about(f"asked by `{rollout.operator.user_id}`")
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
        old_request = await rollout.room.ask("!deploy web v3")
        old = await rollout.card_of(old_request)
        request = await rollout.room.ask("!deploy web v2")
        new = await rollout.card_of(request)
        await rollout.until_edited(old, "A newer request is about the same")
        assert "its card counts" in await rollout.report_on(old_request)
        await rollout.approve(old)
        await rollout.approve(new)
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_a_deployment_goes_on_while_the_homeserver_is_away_and_is_reported_once(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_rollout(stage, tmp_path) as rollout:
        rollout.gates.hold("apply")
        request = await rollout.ask_and_approve("!deploy web v2")
        await rollout.gates.reached("apply")
        await stage.site.homeserver.stop()
        try:
            rollout.gates.let_go("apply")
            await rollout.until_done()
            assert await rollout.version() == "v2"
        finally:
            await stage.site.homeserver.start()
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]


@pytest.mark.slow
async def test_a_crash_while_the_homeserver_is_away_is_made_up_for_when_it_is_back(
    stage: Stage, tmp_path: Path
) -> None:
    homeserver = await stage.homeserver_proxy()
    async with open_rollout(stage, tmp_path, homeserver_url=homeserver.url) as rollout:
        rollout.gates.hold("applied")
        request = await rollout.ask_and_approve("!deploy web v2")
        program = await rollout.gates.reached("applied")
        homeserver.set(Mode.REFUSE)
        homeserver.cut()
        rollout.crash(program)
        rollout.replica.launch()
        await rollout.until_done()
        homeserver.set(Mode.PASS)
        await rollout.ended_well(request, "v2")
        assert rollout.swaps() == ["v2"]
