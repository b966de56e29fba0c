"""A server of others as the registry knows it, with lists in memory and a person who answers."""

import asyncio
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from lycatra_appservice.model import JSON, Caller, Face, RoomID, UserID
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.questions import Answer, Question, Reaction
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.remote.connection import Timing
from lycatra_appservice.toolkit.remote.namespaces import namespaces_of
from lycatra_appservice.toolkit.remote.servers import RemoteServer
from tests.support.waiting import until

SOURCES = Path(__file__).parents[2]
ASKER = Caller(user_id=UserID("@asker:hs.test"), face=Face.COMMAND, room_id=RoomID("!room"))
OTHER = Caller(user_id=UserID("@other:hs.test"), face=Face.COMMAND, room_id=RoomID("!room"))
QUICK = Timing(first_pause=0.05, look=0.5, settle=0.01)


@dataclass
class Lists:
    """What was listed last."""

    kept: dict[str, str] = field(default_factory=dict)

    async def read(self, server: str) -> str | None:
        return self.kept.get(server)

    async def write(self, server: str, tools: str) -> None:
        self.kept[server] = tools


@dataclass
class Person:
    """Answers every question with `content`, once it may."""

    content: Mapping[str, JSON] = field(default_factory=dict)
    asked: list[tuple[Question, Caller]] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, question: Question, caller: Caller, patience: timedelta) -> Answer:
        self.asked.append((question, caller))
        await self.may_answer.wait()
        return Answer(reaction=Reaction.ACCEPT, content=self.content)


@dataclass(kw_only=True)
class Remote:
    """A server at work."""

    server: RemoteServer
    registry: Registry
    lists: Lists
    person: Person

    def names(self) -> set[str]:
        """Of its tools."""
        return {tool.name for tool in self.registry.tools_of("peer")}

    async def text_of(self, tool: str, arguments: Mapping[str, JSON] | None = None) -> str:
        """Call it by the server's own name, and return the first text."""
        answer = await self.server.call(tool, arguments or {}, ASKER, lambda _: None)
        return str(getattr(answer.content[0], "text", ""))

    async def connected(self) -> None:
        """Wait until it is."""

        async def is_connected() -> bool:
            return self.server.condition.is_connected

        await until(is_connected, "a connection")


def as_program(folder: Path, **more: JSON) -> McpServer:
    """The peer as a program; `more` are settings."""
    return McpServer.model_validate(
        {
            "command": sys.executable,
            "args": ["-m", "tests.support.mcp_program", "stdio"],
            "env": {"PYTHONPATH": str(SOURCES)},
            "folder": str(folder),
            **more,
        }
    )


@asynccontextmanager
async def remote(
    configured: McpServer, *, lists: Lists | None = None, waits: bool = True
) -> AsyncIterator[Remote]:
    """Run it; connected already, if it `waits`."""
    registry = Registry(namespaces_of({"peer": configured}), {})
    lists, person = lists or Lists(), Person()
    server = RemoteServer("peer", configured, registry, lists, person, QUICK)
    found = Remote(server=server, registry=registry, lists=lists, person=person)
    running = asyncio.create_task(server.run())
    try:
        if waits:
            await found.connected()
        yield found
    finally:
        running.cancel()
        await asyncio.wait([running])


def free_port() -> int:
    """One that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def peer_at(port: int, folder: Path) -> AsyncIterator[Process]:
    """The peer as a server by HTTP."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.mcp_program", str(port)),
        cwd=folder,
        env={"PYTHONPATH": str(SOURCES), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield program
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()
