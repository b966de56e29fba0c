"""Calls the tools of deployments as the chat does: asked, approved, run, run again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.model import Caller, Face
from lycatra_appservice.toolkit.approvals import Approved, NeedsApprovalError, Plan
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.memory import Memory, ShortMemory
from lycatra_appservice.toolkit.progress import told_to
from lycatra_appservice.toolkit.toolbox import Toolbox
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.words.text import Said
from tests.support.journal import Journal, Killed
from tests.support.toolbench import NOW, OPERATOR, VIEWER, bench

SWIFT = {"look_seconds": 0.02, "health_seconds": 1.5, "watch_seconds": 0.1}


@dataclass
class Desk:
    """A toolbox of an operator, and what it told meanwhile."""

    box: Toolbox
    said: list[str] = field(default_factory=list)
    hear: Callable[[str], object] = str  # what is said meanwhile
    process: "asyncio.Task[ToolResult] | None" = None
    is_killed: bool = False

    def kill(self) -> None:
        """End the process that is at it; the next one goes on."""
        assert self.process is not None
        self.is_killed = True
        self.process.cancel()

    async def needed(self, tool: str, **args: Any) -> NeedsApprovalError:
        with pytest.raises(NeedsApprovalError) as needed:
            await self.box.call(tool, args)
        return needed.value

    async def plan(self, version: str, service: str = "web") -> Plan:
        needed = await self.needed("deploy_update", service=service, version=version)
        return needed.plan

    async def refusal(self, version: str, service: str = "web") -> str:
        """What people read instead of a card."""
        with pytest.raises(ToolFailedError) as failed:
            await self.box.call("deploy_update", {"service": service, "version": version})
        return failed.value.user_message

    async def approved(
        self,
        tool: str,
        hashed: str,
        journal: Journal | None = None,
        *,
        resuming: bool = False,
        **args: Any,
    ) -> ToolResult:
        """What comes of the approved call, in as many runs as it takes."""
        journal = journal or Journal()
        while True:
            try:
                return await self.one_run(tool, hashed, journal, resuming=resuming, **args)
            except Killed:
                resuming = True
            except asyncio.CancelledError:
                if not self.is_killed:  # but the test is over
                    raise
                resuming, self.is_killed = True, False

    async def one_run(
        self, tool: str, hashed: str, journal: Journal, *, resuming: bool = False, **args: Any
    ) -> ToolResult:
        """By one process. Raises Killed, CancelledError."""
        approved = Approved(number=7, args_hash=hashed, code="A", by=[VIEWER], resuming=resuming)
        self.process = asyncio.create_task(
            self.box.call(tool, args, approved=approved, steps=journal)
        )
        return await self.process

    async def call(self, tool: str, journal: Journal | None = None, **args: Any) -> ToolResult:
        hashed = (await self.needed(tool, **args)).args_hash
        return await self.approved(tool, hashed, journal, **args)

    async def deploy(
        self, version: str, journal: Journal | None = None, service: str = "web"
    ) -> ToolResult:
        return await self.call("deploy_update", journal, service=service, version=version)

    async def failure(self, version: str, journal: Journal | None = None) -> str:
        """What people read of an approved call that says no."""
        args: dict[str, Any] = {"service": "web", "version": version}
        hashed = (await self.needed("deploy_update", **args)).args_hash
        with pytest.raises(ToolFailedError) as failed:
            await self.approved("deploy_update", hashed, journal, **args)
        return failed.value.user_message

    async def listed(self, **args: Any) -> Sequence[Any]:
        found = (await self.box.call("list_deployments", args)).data
        return list(found["deployments"])


@asynccontextmanager
async def desk(
    folder: Path,
    *deploy: Any,
    memory: Memory | None = None,
    now: Callable[[], datetime] = lambda: NOW,
    zone: str = "UTC",
    **more: Any,
) -> AsyncIterator[Desk]:
    settings = UpdatesSettings.model_validate({"deploy": deploy, **more})
    async with bench(
        registry=discover(),
        settings={"updates": settings},
        folder=folder,
        memory=memory or ShortMemory(),
        now=now,
        zone=zone,
    ) as on:

        def hear(text: Said) -> None:
            at.said.append(str(text))
            at.hear(str(text))

        caller = Caller(user_id=OPERATOR, face=Face.COMMAND)
        box = on.gate.open_for(caller, Standing(room_id=None), progress=told_to(hear))
        at = Desk(box)
        yield at


def phases(result: ToolResult) -> list[str]:
    return [each["name"] for each in result.data["phases"]]
