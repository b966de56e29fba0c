"""A room beside a real process with versions, whose deployments can be held in every phase."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from lycatra_appservice.demo.homeserver import free_port
from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.model import JSON, EventID, RoomID
from tests.support import swapping
from tests.support.gates import Gates, HealthGate, end, health_gate
from tests.support.lycatra import Lycatra
from tests.support.reading import Reading
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

Settings = Mapping[str, JSON]
CURRENT = [sys.executable, swapping.__file__, "current"]


@dataclass(frozen=True, kw_only=True)
class Rollout(Reading):
    """Somebody who asks, somebody who may approve, and the service `web` with its versions."""

    operator: PersonClient
    replicas: Sequence[Lycatra]
    gates: Gates
    health: HealthGate
    folder: Path
    port: int

    @property
    def replica(self) -> Lycatra:
        """The first."""
        return self.replicas[0]

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

    def crash(self, *programs: int) -> None:
        """End the service at once, and with it these programs, as when a machine does."""
        self.replica.kill()
        for program in programs:
            end(program)

    def at_work(self, gate: str) -> Lycatra:
        """The replica that has started the program at a gate."""
        parent = self.gates.visits(gate)[-1][1]
        return next(each for each in self.replicas if each.child.pid == parent)

    async def is_begun(self, step: str) -> bool:
        """Whether a step of a deployment is begun, and has not ended."""
        open_steps = await self.tables.rows("SELECT name FROM step WHERE state = 'started'")
        return any(row["name"].endswith(f":{step}") for row in open_steps)

    async def asked_within(self, step: str) -> None:
        """Return when the health check waits within this step; who asks before is answered."""
        await self.health.reached()
        while not await self.is_begun(step):
            self.health.let_in()
            await self.health.reached()

    async def until_done(self) -> None:
        """Return when a deployment has ended, whoever knows of it."""

        async def done() -> bool:
            return bool(await self.tables.rows("SELECT 1 FROM approval WHERE outcome = 'done'"))

        await until(done, "the end of the deployment")

    async def approve(self, card: JSON, key: str = "✅") -> None:
        """React as the operator."""
        await self.operator.react(self.room.room_id, EventID(card["event_id"]), key)

    async def ask_and_approve(self, words: str) -> EventID:
        """The request, which is approved by now."""
        request = await self.room.ask(words)
        await self.approve(await self.card_of(request))
        return request

    async def ended_well(self, request: EventID, version: str) -> None:
        """One report says so, and so does the service."""
        assert f"`web` runs {version}" in await self.report_on(request)
        assert await self.version() == version
        assert (await self.room.findings()).clean

    async def went_back(self, request: EventID, version: str) -> None:
        """One report says so, and so does the service."""
        assert f"`web` was rolled back to {version}" in await self.report_on(request)
        assert await self.version() == version
        assert (await self.room.findings()).clean


@asynccontextmanager
async def open_rollout(
    stage: Stage,
    folder: Path,
    *,
    change: Settings | None = None,
    updates: Settings | None = None,
    approvals: Settings | None = None,
    is_announced: bool = False,
    homeserver_url: str | None = None,
    database_url: str | None = None,
    replicas: int = 1,
) -> AsyncIterator[Rollout]:
    """Everything is started, and v1 runs.

    `change` is about how `web` is deployed (None takes a key away), `updates` about what is
    watched; with `is_announced` the configuration says that the room is told of `web`.
    """
    port = free_port()
    (folder / "port").write_text(str(port))
    url = database_url or sqlite_in(folder)
    operator, asker = await stage.person(), await stage.person()
    room_id = await asker.create_room("a room")
    async with AsyncExitStack() as stack:
        health = await stack.enter_async_context(health_gate(f"http://127.0.0.1:{port}/"))
        gates = Gates(folder)
        stack.callback(swapping.stop, folder)
        stack.callback(gates.close_down)
        deploy = {**deploy_of(folder, gates, health), **(change or {})}
        deploy = {key: value for key, value in deploy.items() if value is not None}
        told = [{"room": room_id, "about": "updates", "only": "web"}] if is_announced else []
        more = {
            "access": {
                "viewer": [f"*:{stage.site.homeserver.server_name}"],
                "operator": [operator.user_id, asker.user_id],
            },
            "announcements": told,
            "approvals": {"people": [operator.user_id], **(approvals or {})},
            "turns": {"lease": "2s", "drain": "0.5s"},
            "tools": {"updates": {"deploy": [deploy], **(updates or {})}},
        }
        ours = [
            await stage.replica(url, homeserver_url=homeserver_url, more=more)
            for _ in range(replicas)
        ]
        await _bring_the_first(folder)
        for each in ours:
            await each.start()
        await _gather(stage, room_id, asker, operator)
        yield Rollout(
            room=Room(room_id, asker),
            operator=operator,
            replicas=ours,
            tables=Tables(url),
            gates=gates,
            health=health,
            folder=folder,
            port=port,
        )


def deploy_of(folder: Path, gates: Gates, health: HealthGate) -> Settings:
    """How `web` is deployed, with gates around all that is done."""
    swap = [sys.executable, swapping.__file__, "swap", str(folder), "{version}"]
    return {
        "service": "web",
        "kind": "command",
        "apply": gates.around("apply", "applied", swap),
        "rollback": gates.around("rollback", "rolled-back", swap),
        "current": [*CURRENT, str(folder)],
        "shown": "bring web",
        "health": {"kind": "http", "url": health.url, "timeout_seconds": 20},
        "health_seconds": 4,
        "watch_seconds": 0.3,
        "look_seconds": 0.1,
    }


async def _bring_the_first(folder: Path) -> None:
    # By a process of its own, which leaves it behind as those of a deployment do.
    first = [sys.executable, swapping.__file__, "swap", str(folder), "v1"]
    await asyncio.to_thread(subprocess.run, first, check=True)
    (folder / "log").unlink()


async def _gather(
    stage: Stage, room_id: RoomID, asker: PersonClient, operator: PersonClient
) -> None:
    await asker.invite(room_id, operator.user_id)
    await operator.join(room_id)
    await asker.invite(room_id, stage.users.main)
    await asker.wait_for_member(room_id, stage.users.main)
