"""From news that a configured room is told to what runs, on a real Synapse."""

from collections.abc import Mapping
from pathlib import Path
from time import time

import aiohttp
import pytest

from lycatra_appservice.model import JSON, EventID
from tests.support.hook_senders import CI_SECRET, ci_request
from tests.support.rollout import Rollout, open_rollout
from tests.support.stage import Stage

HOUR_SECONDS = 3600
WATCHED: Mapping[str, JSON] = {
    "watch": [{"name": "web", "kind": "hook"}, {"name": "api", "kind": "hook"}],
    "hooks": {"updates": {"secret": CI_SECRET}},
}


async def post(rollout: Rollout, request: tuple[bytes, Mapping[str, str]]) -> int:
    body, headers = request
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{rollout.replica.url}/hooks/updates", data=body, headers=headers) as answer,
    ):
        return answer.status


async def release(rollout: Rollout, version: str, service: str = "web") -> None:
    """A CI tells of it."""
    assert await post(rollout, ci_request(news(version, service), at=time())) == 202


def news(version: str, service: str = "web") -> JSON:
    return {"service": service, "version": version, "notes": f"what {version} has"}


@pytest.mark.slow
async def test_a_room_of_the_configuration_is_told_once_and_what_is_approved_there_is_rolled_out(
    stage: Stage, tmp_path: Path
) -> None:
    opened = open_rollout(stage, tmp_path, updates=WATCHED, is_announced=True)
    async with opened as rollout:
        signed = ci_request(news("v2"), at=time())
        assert await post(rollout, signed) == 202
        card = await rollout.card_about("web v2 is out")
        assert card["sender"] == stage.users.of("updates")
        assert "what v2 has" in card["content"]["body"]
        assert card["content"]["m.mentions"] == {"user_ids": [rollout.operator.user_id]}

        assert await post(rollout, signed) == 202
        assert await post(rollout, ci_request(news("v9"), at=time(), secret="another")) == 401
        assert await post(rollout, ci_request(news("v9"), at=time() - HOUR_SECONDS)) == 401
        await release(rollout, "v7", "api")  # of which the room is not told
        await rollout.room.person.react(rollout.room.room_id, EventID(card["event_id"]), "👍")
        await rollout.until_told("does not count here")
        assert rollout.swaps() == []

        await rollout.approve(card, "👍")
        await rollout.until_told("`web` runs v2, before v1")
        await rollout.tables.until_idle()
        assert await rollout.version() == "v2"
        assert len(await rollout.cards()) == 1
        assert not await rollout.told("v7")
        assert not await rollout.told("v9")


@pytest.mark.slow
async def test_a_newer_release_takes_the_place_of_the_card_and_a_broken_one_is_taken_back(
    stage: Stage, tmp_path: Path
) -> None:
    opened = open_rollout(stage, tmp_path, updates=WATCHED, is_announced=True)
    async with opened as rollout:
        await release(rollout, "v2")
        old = await rollout.card_about("web v2 is out")
        await release(rollout, "v3")
        new = await rollout.card_about("web v3 is out")
        await rollout.until_edited(old, "is about the same")
        await rollout.approve(old)
        await rollout.approve(new)
        await rollout.until_told("`web` was rolled back to v1")
        assert await rollout.version() == "v1"
        assert rollout.swaps() == ["v3", "v1"]
        listed = await rollout.room.said_to("!list deployments web")
        assert "rolled back" in listed
        assert rollout.operator.localpart in listed


@pytest.mark.slow
async def test_news_that_were_taken_before_a_crash_are_told_and_rolled_out_after_it(
    stage: Stage, tmp_path: Path
) -> None:
    opened = open_rollout(stage, tmp_path, updates=WATCHED, is_announced=True)
    async with opened as rollout:
        await release(rollout, "v2")
        rollout.crash()
        await rollout.replica.start()
        card = await rollout.card_about("web v2 is out")
        rollout.gates.hold("applied")
        await rollout.approve(card)
        program = await rollout.gates.reached("applied")
        rollout.crash(program)
        await rollout.replica.start()
        await rollout.until_told("`web` runs v2, before v1")
        await rollout.tables.until_idle()
        assert rollout.swaps() == ["v2"]
        assert len(await rollout.told("`web` runs v2, before v1")) == 1
        assert len(await rollout.cards()) == 1
