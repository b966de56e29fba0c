"""What rooms are told of services: by the regular look, against a peer that goes down and up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.toolkit.base import News
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.memory import ShortMemory
from lycatra_appservice.tools.services._settings import ServicesSettings
from lycatra_appservice.tools.services._watching import WATCHER
from tests.unit.tools.services.looking import Clock, Services, services


@dataclass
class Shop:
    """A service that answers what the test says."""

    status: int = 200
    check: dict[str, Any] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        return web.Response(status=self.status)


@asynccontextmanager
async def opened(name: str = "shop", **more: Any) -> AsyncIterator[Shop]:
    shop = Shop()
    app = web.Application()
    app.router.add_get("/", shop.answer)
    async with TestServer(app) as server:
        shop.check = {"name": name, "kind": "http", "url": str(server.make_url("/")), **more}
        yield shop


async def told(here: Services, minutes: int = 1) -> Sequence[News]:
    """Everything new in so many minutes, as rooms read it: each key once."""
    news: dict[str, News] = {}
    before = {each.key for each in await here.watched()}
    for _ in range(minutes):
        for each in await here.watched(minutes=1):
            assert news.setdefault(each.key, each) == each, "one key, two texts"
    return [each for key, each in news.items() if key not in before]


async def test_a_service_that_goes_down_is_told_and_that_it_came_up_again(tmp_path: Path) -> None:
    async with (
        opened() as shop,
        services(tmp_path, shop.check or {}, zone="Europe/Berlin") as here,
    ):
        assert await told(here, 5) == []
        shop.status = 503
        [down] = await told(here, 12)
        shop.status = 200
        [up] = await told(here, 5)

    assert down.about == up.about == "shop"
    assert down.markdown == (
        "❌ **shop is down** since 13:06: HTTP 503. Look: `!get service status shop`"
    )
    assert up.markdown == "✅ **shop is up again** after 12 min, down since 13:06"
    assert up.ends == down.key
    assert down.ends is None


async def test_flapping_is_told_once(tmp_path: Path) -> None:
    async with opened() as shop, services(tmp_path, shop.check or {}) as here:
        said: list[str] = []
        for minute in range(40):
            shop.status = 503 if minute // 3 % 2 else 200
            said += [each.markdown for each in await told(here)]
    assert [each.split("**")[1] for each in dict.fromkeys(said)] == [
        "shop is down",
        "shop is up again",
        "shop is flapping",
    ]
    assert "I say no more of it until it has not changed for 15 min" in said[-1]


async def test_a_new_look_after_a_crash_tells_what_was_not_told(tmp_path: Path) -> None:
    """The state is kept before the news are; so they come again, under the same key."""
    memory, clock = ShortMemory(), Clock()
    async with opened() as shop:
        shop.status = 503
        async with services(tmp_path, shop.check or {}, memory=memory, clock=clock) as here:
            await here.watched()
            [lost] = await here.watched(minutes=1)
        async with services(tmp_path, shop.check or {}, memory=memory, clock=clock) as here:
            [again] = await here.watched(minutes=1)
            assert again == lost
            assert await here.watched(minutes=20) == []  # but not for ever


async def test_two_replicas_that_look_at_once_have_one_thing_to_tell(tmp_path: Path) -> None:
    memory, clock = ShortMemory(), Clock()
    async with (
        opened() as shop,
        services(tmp_path, shop.check or {}, memory=memory, clock=clock) as one,
        services(tmp_path, shop.check or {}, memory=memory, clock=clock) as other,
    ):
        shop.status = 503
        keys: set[str] = set()
        for minute in range(3):
            clock.pass_by(minutes=1)
            found = await asyncio.gather(one.watched(), other.watched())
            keys |= {each.key for news in found for each in news}
            assert len(keys) == min(minute, 1)  # both bad looks of a minute are one


async def test_questions_are_remembered_and_tell_rooms_nothing(tmp_path: Path) -> None:
    async with opened() as shop, services(tmp_path, shop.check or {}) as here:
        shop.status = 503
        for _ in range(5):
            await here.asked("shop")
            here.clock.pass_by(minutes=1)
        assert (await here.line("shop"))["history"]["down_minutes_24h"] == 5
        assert await here.watched() == []  # its first look


async def test_only_what_is_urgent_disturbs_quiet_hours_and_some_is_never_told(
    tmp_path: Path,
) -> None:
    async with (
        opened() as shop,
        opened("pay", urgent=True) as pay,
        opened("lab", alerts=False) as lab,
    ):
        shop.status = pay.status = lab.status = 500
        checks = [each.check or {} for each in (shop, pay, lab)]
        async with services(tmp_path, *checks, alert_after_looks=1) as here:
            news = await here.watched()
    assert {each.about: each.can_wait for each in news} == {"shop": True, "pay": False}


async def test_what_can_be_restarted_and_has_no_check_is_watched_too(tmp_path: Path) -> None:
    restart = {"service": "web", "kind": "docker", "container": "web-1"}
    async with services(
        tmp_path, restarts=[restart], engine=f"unix://{tmp_path}/none", alert_after_looks=1
    ) as here:
        [news] = await here.watched()
    assert news.markdown == (
        "❌ **web is down** since 12:00: Docker's socket is not there: Docker does not run, or it "
        "is elsewhere. Look: `!get service status web`"
    )


async def test_a_look_without_a_memory_says_so_instead_of_telling_twice(tmp_path: Path) -> None:
    class Away(ShortMemory):
        def of(self, namespace: str, place: str) -> Any:
            return Refusing()

    class Refusing:
        async def change(self, key: str, how: object) -> None:
            raise ToolFailedError("the database is away")

    async with opened() as shop, services(tmp_path, shop.check or {}, memory=Away()) as here:
        with pytest.raises(ToolFailedError, match="away"):
            await here.watched()


def test_the_namespace_brings_its_watcher_which_works_where_there_is_something_to_watch() -> None:
    namespace = discover().namespace("services")
    assert namespace is not None
    assert list(namespace.watchers) == [WATCHER]
    check = {"name": "a", "kind": "tcp", "address": "h:1"}
    assert WATCHER.has_work is not None
    assert WATCHER.has_work(ServicesSettings.model_validate({"checks": [check]}))
    assert not WATCHER.has_work(ServicesSettings())
    assert not WATCHER.has_work(
        ServicesSettings.model_validate({"checks": [check], "watch": False})
    )
