"""Two replicas that are told the same make one turn and one piece of news, on each engine."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import OpenedDatabase, new_owner_id, open_database
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.hooks.open_hooks import open_hooks
from lycatra_appservice.hooks.routes import Hooks
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.toolkit.base import News
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.state import StateStore
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.news import NewsItem, NewsTable, Subscription
from tests.support.hook_senders import GITHUB_SECRET, github_request, published
from tests.support.release_peers import forge
from tests.unit.tools.updates.watching import Clock, Watching, watching

ROOM = RoomID("!room")


@dataclass
class Replica:
    """A process of its own on the same database."""

    opened: OpenedDatabase
    http: TestClient[web.Request, web.Application]

    async def post(self, tag: str) -> int:
        body, headers = github_request(published(tag))
        async with self.http.post("/hooks/github", data=body, headers=headers) as answer:
            return answer.status

    async def publish(self, news: Sequence[News]) -> None:
        table = NewsTable(self.opened.database)
        for each in news:
            item = NewsItem(namespace="updates", key=each.key, ends=None, input={})
            rooms = await table.rooms("updates", each.about)
            await table.publish(item, dict.fromkeys(rooms, timedelta(0)))

    async def turns(self, prefix: str) -> list[dict[str, Any]]:
        statement = parse_statement(
            "turns", "SELECT * FROM turn WHERE trigger_id LIKE :like ORDER BY id"
        )
        found = await self.opened.database.fetch(statement, like=f"{prefix}:%")
        return [dict(each) for each in found]


@asynccontextmanager
async def replicas(url: str) -> AsyncIterator[list[Replica]]:
    known = discover().namespaces
    section = {
        "watch": [{"name": "shop", "kind": "github", "repository": "me/shop"}],
        "hooks": {"github": {"secret": GITHUB_SECRET}},
    }
    settings = {each.name: each.settings() for each in known}
    settings["updates"] = UpdatesSettings.model_validate(section)
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            opened = await open_database(url, owner=new_owner_id())
            stack.push_async_callback(opened.database.close)
            await migrate(opened.database)
            hooks = Hooks(
                open_hooks(known, settings), Inbox(opened.database), Metrics(), lambda: 0.0
            )
            app = web.Application()
            app.add_routes(hooks.routes())
            http = await stack.enter_async_context(TestClient(TestServer(app)))
            made.append(Replica(opened, http))
        yield made


async def test_a_delivery_to_both_replicas_at_once_is_one_turn(database_url: str) -> None:
    async with replicas(database_url) as both:
        async with asyncio.timeout(30):
            statuses = await asyncio.gather(*(each.post("v1") for each in both * 5))
            await both[0].post("v2")

        assert set(statuses) == {202}
        turns = await both[1].turns("hook")
        assert [json.loads(each["input"])["data"]["release"]["tag_name"] for each in turns] == [
            "v1",
            "v2",
        ]


async def test_what_two_replicas_find_and_are_told_at_once_is_told_a_room_once(
    database_url: str, tmp_path: Path
) -> None:
    async with replicas(database_url) as both, forge("v1.0.0") as there, AsyncExitStack() as stack:
        table = NewsTable(both[0].opened.database)
        wanted = Subscription(namespace="updates", about="")
        await table.subscribe(ROOM, wanted, UserID("@person:hs.test"))
        clock = Clock()
        watchers: list[Watching] = [
            await stack.enter_async_context(
                watching(
                    tmp_path,
                    there.source(),
                    clock=clock,
                    memory=StateStore(each.opened.database),
                )
            )
            for each in both
        ]
        await watchers[0].look()
        there.publish("v1.1.0")
        clock.pass_by(minutes=1)

        async def find(replica: Replica, watcher: Watching) -> None:
            await replica.publish(await watcher.look_cut_off())

        async def hear(replica: Replica, watcher: Watching) -> None:
            await replica.publish(await watcher.hear("shop", "v1.1.0"))

        async with asyncio.timeout(30):
            pairs = list(zip(both, watchers, strict=True))
            await asyncio.gather(*(do(*pair) for pair in pairs for do in (find, hear)))

        assert len(await both[0].turns("news")) == 1
