"""Watches sources as the service does: by a clock that the test moves, against its own peers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

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


def request_of(body: bytes, **headers: str) -> HookRequest:
    return HookRequest(
        headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body
    )
