"""From a release to a room: polled, told by hooks, or both at once."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import model_validator

from lycatra_appservice.hooks.open_hooks import open_hooks
from lycatra_appservice.hooks.routes import Hooks
from lycatra_appservice.model import LaneKind
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.turns.records import Trigger, lane_of_job
from tests.support.approving import LISTS, card_id, card_now, cards, seat_people
from tests.support.hook_senders import (
    CI_SECRET,
    GITHUB_SECRET,
    ci_request,
    github_request,
    published,
)
from tests.support.release_peers import Forge, forge
from tests.support.scene import NAMESPACES, PERSON, TOOLS, Scene, open_scene
from tests.unit.chat.approving import vote
from tests.unit.tools.updates.deploying import SWIFT

DEPLOY = {
    "service": "shop",
    "kind": "command",
    "apply": [sys.executable, "-c", "pass", "{version}"],
    **SWIFT,
}


@dataclass
class Site:
    """A room that subscribed, the forge, and the hooks' address."""

    scene: Scene
    forge: Forge
    http: TestClient[web.Request, web.Application]
    looks: int = 0

    async def look(self) -> None:
        """Store the watcher's next turn, a minute later."""
        self.scene.now += timedelta(minutes=1)
        self.looks += 1
        trigger_id = f"cron:watch-updates-releases:{self.looks}"
        lane = lane_of_job(trigger_id)
        trigger = Trigger(id=trigger_id, lane=lane, kind=LaneKind.JOB, input="{}")
        await self.scene.engine.inbox.store([trigger])

    async def post(self, name: str, request: tuple[bytes, Mapping[str, str]]) -> int:
        body, headers = request
        async with self.http.post(f"/hooks/{name}", data=body, headers=headers) as answer:
            return answer.status

    async def said(self) -> list[str]:
        """What is said in the room by what was stored so far."""
        before = len(self.scene.said())
        await self.scene.work()
        return [each.body for each in self.scene.said()[before:]]


def namespaces(**section: Any) -> list[Namespace]:
    class Configured(UpdatesSettings):
        @model_validator(mode="before")
        @classmethod
        def _as_it_is_written(cls, _: object) -> object:
            return section

    [updates] = [each for each in discover().namespaces if each.name == "updates"]
    others = [each for each in NAMESPACES if each.name != "updates"]
    return [*others, replace(updates, settings=Configured)]


@asynccontextmanager
async def open_site(folder: Path, **section: Any) -> AsyncIterator[Site]:
    async with forge("v1.0.0") as there:
        homes = namespaces(
            watch=[there.source(), {"name": "api", "kind": "hook"}],
            hooks={"github": {"secret": GITHUB_SECRET}, "updates": {"secret": CI_SECRET}},
            **section,
        )
        tools = {**TOOLS, "updates": discover().tools_of("updates")}
        async with open_scene(folder, lists=LISTS, tools=tools, namespaces=homes) as scene:
            seat_people(scene)
            hooks = Hooks(
                open_hooks(homes, {each.name: each.settings() for each in homes}),
                scene.engine.inbox,
                Metrics(hooks=["github", "updates"]),
                lambda: scene.now.timestamp(),
            )
            app = web.Application()
            app.add_routes(hooks.routes())
            async with TestClient(TestServer(app)) as http:
                site = Site(scene, there, http)
                await scene.ask("!subscribe updates", sender=PERSON)
                await site.look()
                assert await site.said() == []
                yield site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        yield opened


async def test_what_github_tells_is_read_in_the_room_once(site: Site) -> None:
    request = github_request(published("v1.1.0", name="Pay by card"))

    assert await site.post("github", request) == 202
    assert await site.said() == ["📦 shop v1.1.0 is out: Pay by card"]
    assert await site.post("github", request) == 202
    assert await site.said() == []


async def test_a_release_seen_by_poll_and_hook_at_once_is_one_message(site: Site) -> None:
    site.forge.publish("v1.1.0")
    await asyncio.gather(
        site.look(), site.post("github", github_request(published("v1.1.0"))), site.look()
    )
    said = await site.said()
    await site.look()

    assert [each.split("\n")[0] for each in said] == ["📦 shop v1.1.0 is out"]
    assert await site.said() == []


async def test_three_ways_to_the_same_release_are_one_message(site: Site) -> None:
    at = site.scene.now.timestamp()
    told = {"service": "shop", "version": "1.1.0"}
    assert await site.post("updates", ci_request(told, at=at)) == 202
    assert await site.post("updates", ci_request(told, at=at + 1)) == 202
    assert await site.post("github", github_request(published("v1.1.0"))) == 202
    assert await site.said() == ["📦 shop 1.1.0 is out"]


async def test_a_forged_delivery_says_nothing(site: Site) -> None:
    forged = github_request(published("v6.6.6"), secret="guessed-by-somebody-else")
    assert await site.post("github", forged) == 401
    assert await site.said() == []


async def test_what_stands_in_notes_calls_nobody(site: Site) -> None:
    told = {"service": "api", "version": "2", "notes": f"@room {PERSON} <b>now</b> !approve ABCD"}
    await site.post("updates", ci_request(told, at=site.scene.now.timestamp()))
    [said] = await site.said()

    assert "@room" not in said
    content = site.scene.said()[-1].content
    assert content["m.mentions"] == {}
    assert "matrix.to" not in content["formatted_body"]
    assert "<b>" not in content["formatted_body"]


async def test_a_release_is_proposed_let_through_and_deployed(tmp_path: Path) -> None:
    async with open_site(tmp_path, deploy=[DEPLOY]) as site:
        site.forge.publish("v1.1.0")
        await site.look()
        [card] = await site.said()
        assert card.startswith("📦 shop v1.1.0 is out")
        assert "Deploy update" in card

        old = card_id(site.scene)
        assert await site.post("github", github_request(published("v1.2.0"))) == 202
        await site.said()
        assert "newer" in card_now(site.scene, old)
        assert len(cards(site.scene)) == 2

        await vote(site.scene)
        assert any("`shop` runs v1.2.0" in each.body for each in site.scene.said())
