"""A room beside a real process with versions, whose deployments can be held in every phase."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from lycatra_appservice.demo.homeserver import free_port
from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.model import JSON, EventID
from tests.support import swapping
from tests.support.lycatra import Lycatra
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

# Runs a program between two gates: at each it says that it has come, and waits while it is held.
_GATED = """
import os, pathlib, subprocess, sys, time
folder, before, after, *program = sys.argv[1:]
def gate(name):
    with (pathlib.Path(folder) / f"came-{name}").open("a") as came:
        print(os.getpid(), os.getppid(), file=came)
    while (pathlib.Path(folder) / f"hold-{name}").exists():
        time.sleep(0.02)
gate(before)
subprocess.run(program, check=True)
gate(after)
"""
Change = Mapping[str, JSON]


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Somebody who asks, somebody who may approve, and the service `web` with its versions."""

    room: Room
    operator: PersonClient
    replicas: Sequence[Lycatra]
    tables: Tables
    folder: Path
    port: int

    @property
    def replica(self) -> Lycatra:
        """The first."""
        return self.replicas[0]

    def hold(self, name: str) -> None:
        """Let whoever comes to this gate wait there."""
        (self.folder / f"hold-{name}").touch()

    def let_go(self, name: str) -> None:
        """Open a gate again."""
        (self.folder / f"hold-{name}").unlink()

    def visits(self, name: str) -> Sequence[tuple[int, int]]:
        """Who came to a gate: the ids of the process and of the one that had started it."""
        came = self.folder / f"came-{name}"
        lines = came.read_text().splitlines() if came.exists() else []
        return [(int(pid), int(parent)) for pid, parent in map(str.split, lines)]

    async def reached(self, name: str, times: int = 1) -> int:
        """Return when a gate was reached so often; the process that stands there."""

        async def came() -> bool:
            return len(self.visits(name)) >= times

        await until(came, f"somebody at the gate {name}")
        return self.visits(name)[-1][0]

    def swaps(self) -> Sequence[str]:
        """Which versions were brought, in order: the proof."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.removeprefix("swap ") for line in lines]

    async def version(self) -> str:
        """What the service says that it is."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{self.port}/") as answer,
        ):
            return (await answer.text()).removeprefix("I am ").rstrip(".")

    def fall_ill(self, version: str) -> None:
        """From now on the health check of this version fails."""
        (self.folder / f"ill-{version}").touch()

    def recover(self, version: str) -> None:
        """And now no more."""
        (self.folder / f"ill-{version}").unlink()

    def crash(self, *programs: int) -> None:
        """End the service at once, and with it these programs, as when a machine does."""
        self.replica.kill()
        for program in programs:
            end(program)

    def at_work(self, gate: str) -> Lycatra:
        """The replica that has started the program at a gate."""
        parent = self.visits(gate)[-1][1]
        return next(each for each in self.replicas if each.child.pid == parent)

    async def card_of(self, request: EventID) -> JSON:
        """Wait for the card of a request."""
        return (await self._marked(request, "card"))[-1]

    async def last_card(self) -> JSON:
        """The newest card in the room, as it was sent."""
        cards = [
            event
            for event in await self.room.events()
            if event["content"].get("org.lycatra.reply", {}).get("kind") == "card"
            and "m.new_content" not in event["content"]
        ]
        return cards[-1]

    async def report_on(self, request: EventID) -> str:
        """Wait for what came of it; it is said once."""
        said = await self._marked(request, "message")
        await self.tables.until_idle()
        said = await self._marked(request, "message")
        assert len(said) == 1, said
        return str(said[0]["content"]["body"])

    async def approve(self, card: JSON, key: str = "\N{WHITE HEAVY CHECK MARK}") -> None:
        """React as the operator."""
        await self.operator.react(self.room.room_id, EventID(card["event_id"]), key)

    async def ask_and_approve(self, words: str) -> EventID:
        """The request, which is approved by now."""
        request = await self.room.ask(words)
        await self.approve(await self.card_of(request))
        return request

    async def until_told(self, words: str) -> None:
        """Wait until anybody says this, in an edit, too."""

        async def told() -> bool:
            return any(
                words in str(said.get("body"))
                for event in await self.room.events()
                for said in (event["content"], event["content"].get("m.new_content", {}))
            )

        await until(told, f"the words {words!r}")

    async def _marked(self, request: EventID, kind: str) -> Sequence[JSON]:
        found: list[JSON] = []

        async def came() -> bool:
            found[:] = [
                event
                for event in await self.room.events()
                if (mark := event["content"].get("org.lycatra.reply"))
                and (mark["to"], mark["kind"]) == (request, kind)
                and "m.new_content" not in event["content"]
            ]
            return bool(found)

        await until(came, f"a {kind} for {request}")
        return found


def end(program: int) -> None:
    """End a program, if it has not ended."""
    with suppress(ProcessLookupError):
        os.kill(program, signal.SIGKILL)


@asynccontextmanager
async def open_rollout(
    stage: Stage,
    folder: Path,
    *,
    change: Change | None = None,
    approvals: Change | None = None,
    homeserver_url: str | None = None,
    database_url: str | None = None,
    replicas: int = 1,
) -> AsyncIterator[Rollout]:
    """Everything is started, and v1 runs; `change` is about how `web` is deployed."""
    port = free_port()
    (folder / "port").write_text(str(port))
    url = database_url or sqlite_in(folder)
    operator, asker = await stage.person(), await stage.person()
    more = {
        "access": {
            "viewer": [f"*:{stage.site.homeserver.server_name}"],
            "operator": [operator.user_id, asker.user_id],
        },
        "approvals": {"people": [operator.user_id], **(approvals or {})},
        "turns": {"lease": "2s", "drain": "0.5s"},
        "tools": {"updates": {"deploy": [{**deploy_of(folder, port), **(change or {})}]}},
    }
    ours = [
        await stage.replica(url, homeserver_url=homeserver_url, more=more) for _ in range(replicas)
    ]
    # By a process of its own, which leaves it behind as those of a deployment do.
    first = [sys.executable, swapping.__file__, "swap", str(folder), "v1"]
    await asyncio.to_thread(subprocess.run, first, check=True)
    (folder / "log").unlink()
    try:
        for each in ours:
            await each.start()
        room = await stage.room(asker)
        await asker.invite(room.room_id, operator.user_id)
        await operator.join(room.room_id)
        yield Rollout(
            room=room,
            operator=operator,
            replicas=ours,
            tables=Tables(url),
            folder=folder,
            port=port,
        )
    finally:
        swapping.stop(folder)


def deploy_of(folder: Path, port: int) -> Change:
    """How `web` is deployed, with gates around all that is done."""
    swap = [sys.executable, swapping.__file__, "swap", str(folder), "{version}"]
    return {
        "service": "web",
        "kind": "command",
        "apply": gated(folder, "apply", "applied", swap),
        "rollback": gated(folder, "rollback", "rolled-back", swap),
        "current": [sys.executable, swapping.__file__, "current", str(folder)],
        "shown": "bring web",
        "health": {"kind": "http", "url": f"http://127.0.0.1:{port}/"},
        "health_seconds": 2,
        "watch_seconds": 0.3,
        "look_seconds": 0.1,
    }


def gated(folder: Path, before: str, after: str, program: Sequence[str]) -> Sequence[str]:
    """A program between two gates."""
    return [sys.executable, "-c", _GATED, str(folder), before, after, *program]
