"""Hooks of the running service, with a real Synapse: what was taken is told, whatever dies."""

from collections.abc import Mapping
from pathlib import Path
from time import time

import aiohttp
import pytest

from lycatra_appservice.model import JSON
from tests.support.hook_senders import (
    CI_SECRET,
    GITHUB_SECRET,
    ci_request,
    github_request,
    published,
)
from tests.support.lycatra import Lycatra
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.waiting import until

TOLD = "is out"
TOOLS: Mapping[str, JSON] = {
    "updates": {
        "watch": [
            {"name": "shop", "kind": "hook", "repository": "me/shop"},
            {"name": "api", "kind": "hook"},
        ],
        "hooks": {"github": {"secret": GITHUB_SECRET}, "updates": {"secret": CI_SECRET}},
    }
}


async def post(replica: Lycatra, name: str, request: tuple[bytes, Mapping[str, str]]) -> int:
    body, headers = request
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{replica.url}/hooks/{name}", data=body, headers=headers) as answer,
    ):
        return answer.status


async def told(room: Room) -> list[str]:
    """The news in the room."""
    bodies = [str(each.get("content", {}).get("body", "")) for each in await room.events()]
    return [each for each in bodies if TOLD in each]


async def until_told(room: Room, times: int) -> None:
    async def came() -> bool:
        return len(await told(room)) >= times

    await until(came, f"{times} pieces of news in {room.room_id}")


@pytest.mark.slow
async def test_what_a_hook_was_told_is_read_once_also_after_a_kill(
    stage: Stage, tmp_path: Path
) -> None:
    replica = await stage.replica(sqlite_in(tmp_path), more={"tools": TOOLS})
    async with replica:
        room = await stage.room()
        assert "From now on" in await room.said_to("!subscribe updates")
        request = github_request(published("v1.4.2", name="Pay by card"))
        assert await post(replica, "github", github_request(published("v6"), secret="x")) == 401
        assert await post(replica, "nobody", request) == 404
        assert await post(replica, "github", request) == 202
        replica.kill()
        await replica.start()
        await until_told(room, 1)

        assert await post(replica, "github", request) == 202
        ci = ci_request({"service": "api", "version": "7.0.0"}, at=time())
        assert await post(replica, "updates", ci) == 202
        await until_told(room, 2)

        assert await told(room) == ["📦 shop v1.4.2 is out: Pay by card", "📦 api 7.0.0 is out"]
        status, figures = await replica.get("/metrics")
        assert status == 200
        assert 'lycatra_hook_requests_total{hook="github",outcome="known"} 1.0' in figures
        assert len(replica.records("hook_refused")) == 1
        assert GITHUB_SECRET not in replica.log()
