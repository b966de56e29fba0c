"""Looks at services as questions and the watcher do, by a clock that the test moves."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lycatra_appservice.model import Caller, Face
from lycatra_appservice.toolkit.base import News, ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.memory import Memory
from lycatra_appservice.tools.services._settings import ServicesSettings
from lycatra_appservice.tools.services._watching import WATCHER
from tests.support.toolbench import NOW, VIEWER, Bench, bench


@dataclass
class Clock:
    """Stands still but for what a test says."""

    now: datetime = NOW

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass(frozen=True, kw_only=True)
class Services:
    """The namespace with its settings."""

    on: Bench
    clock: Clock

    async def asked(self, service: str | None = None) -> ToolResult:
        """A question, past what is cached."""
        self.on.clock.seconds += 60
        args = {} if service is None else {"service": service}
        return await self.on.toolbox().call("get_service_status", args)

    async def line(self, service: str = "web") -> dict[str, Any]:
        """What is told of one service."""
        [found] = (await self.asked(service)).data["services"]
        assert isinstance(found, dict)
        return found

    async def watched(self, **later: float) -> Sequence[News]:
        """The regular look, after so much time."""
        self.clock.pass_by(**later)
        namespace = discover().namespace("services")
        assert namespace is not None
        caller = Caller(user_id=VIEWER, face=Face.COMMAND)
        return await WATCHER.run(self.on.contexts.for_work(caller, namespace, WATCHER.name))


@asynccontextmanager
async def services(
    folder: Path,
    *checks: dict[str, Any],
    clock: Clock | None = None,
    memory: Memory | None = None,
    zone: str = "UTC",
    **more: Any,
) -> AsyncIterator[Services]:
    clock = clock or Clock()
    settings = ServicesSettings.model_validate({"checks": checks, **more})
    async with bench(
        registry=discover(),
        settings={"services": settings},
        folder=folder,
        memory=memory,
        zone=zone,
        now=lambda: clock.now,
    ) as on:
        yield Services(on=on, clock=clock)
