"""Watches sources as the service does: by a clock that the test moves, against its own peers."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.model import Caller, Face
from lycatra_appservice.toolkit.base import JSON, Hook, HookRequest, News, ToolContext
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.memory import Memory
from lycatra_appservice.tools.updates._hooked import github, updates
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._watching.looking import WATCHER
from tests.support.toolbench import NOW, VIEWER, Bench, bench


@dataclass
class Clock:
    """Stands still but for what a test says."""

    now: datetime = NOW

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass(kw_only=True)
class Watching:
    """The namespace with its settings, on one replica; `told` is what rooms have read, by key."""

    on: Bench
    clock: Clock
    settings: UpdatesSettings
    told: dict[str, News] = field(default_factory=dict)

    async def look(self, **later: float) -> Sequence[News]:
        """The regular look after so much time, and what rooms are told of it: each key once."""
        return self.publish(await self.look_cut_off(**later))

    async def look_cut_off(self, **later: float) -> Sequence[News]:
        """A look whose news never come to be published."""
        self.clock.pass_by(**later)
        return await WATCHER.run(self.context(WATCHER.name))

    async def hook(self, hook: Hook, data: JSON) -> Sequence[News]:
        return self.publish(await hook.take(data, self.context(hook.name)))

    async def hear(self, service: str, version: str, **more: str) -> Sequence[News]:
        """What comes of a request to the hook for everybody."""
        data = {"service": service, "version": version, "title": "", "notes": "", "url": None}
        return await self.hook(updates.HOOK, {**data, **more})

    async def hear_github(self, record: dict[str, Any], repository: str) -> Sequence[News]:
        return await self.hook(github.HOOK, {"repository": repository, "release": record})

    async def listed(self, **args: Any) -> Any:
        """What `list_updates` says, past what is cached."""
        self.on.clock.seconds += 60
        return await self.on.toolbox().call("list_updates", args)

    def publish(self, news: Sequence[News]) -> Sequence[News]:
        new = [each for each in news if each.key not in self.told]
        for each in news:
            assert self.told.setdefault(each.key, each) == each, "one key, two texts"
        return new

    def context(self, name: str) -> ToolContext:
        namespace = discover().namespace("updates")
        assert namespace is not None
        caller = Caller(user_id=VIEWER, face=Face.COMMAND)
        return self.on.contexts.for_work(caller, namespace, name)


@asynccontextmanager
async def watching(
    folder: Path,
    *watch: dict[str, Any],
    clock: Clock | None = None,
    memory: Memory | None = None,
    **more: Any,
) -> AsyncIterator[Watching]:
    clock = clock or Clock()
    section = {"watch": watch, "sources": [], **more}
    settings = UpdatesSettings.model_validate(section)
    async with bench(
        registry=discover(),
        settings={"updates": settings},
        folder=folder,
        memory=memory,
        now=lambda: clock.now,
    ) as on:
        yield Watching(on=on, clock=clock, settings=settings)


def record(tag: str, **more: Any) -> dict[str, Any]:
    """A release as GitHub's API has it."""
    return {
        "tag_name": tag,
        "name": tag,
        "body": "",
        "html_url": f"https://forge.example/me/shop/releases/tag/{tag}",
        "published_at": NOW.isoformat(),
        "draft": False,
        "prerelease": False,
        **more,
    }


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Peer:
    """A web server of somebody else, which remembers what it was asked."""

    def __init__(self, route: str) -> None:
        self.requests: list[web.Request] = []
        self.answers: list[web.StreamResponse | Answer] = []  # said first, once each
        app = web.Application()
        app.router.add_route("*", route, self._asked)
        self.server = TestServer(app)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    async def _asked(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.answers:
            said = self.answers.pop(0)
            return said if isinstance(said, web.StreamResponse) else await said(request)
        return await self.answer(request)

    def url(self, path: str = "") -> str:
        return str(self.server.make_url(path)).rstrip("/")


class Forge(Peer):
    """Speaks GitHub's API for one repository, with ETags."""

    def __init__(self) -> None:
        super().__init__("/repos/me/shop/releases")
        self.releases: list[Any] = []
        self.token: str | None = None
        self.headers: dict[str, str] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"message": "Bad credentials"}, status=401)
        text = json.dumps(self.releases)
        etag = f'W/"{hash(text)}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.json_response(text=text, headers={"ETag": etag, **self.headers})

    def publish(self, tag: str, **more: Any) -> dict[str, Any]:
        made = record(tag, **more)
        self.releases.insert(0, made)
        return made

    def source(self, **more: Any) -> dict[str, Any]:
        return {
            "name": "shop",
            "kind": "github",
            "repository": "me/shop",
            "base_url": self.url(),
            "every": "1m",
            **more,
        }


@asynccontextmanager
async def forge(*tags: str) -> AsyncIterator[Forge]:
    made = Forge()
    for tag in tags:
        made.publish(tag)
    async with made.server:
        yield made


def request_of(body: bytes, **headers: str) -> HookRequest:
    return HookRequest(
        headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body
    )
