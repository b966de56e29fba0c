"""A Docker Engine of a few containers, which speaks its API on a Unix socket or a port."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

RUNNING = {"Status": "running", "ExitCode": 0, "StartedAt": "2026-11-22T10:00:00Z"}


def running(health: str | None = None, started_at: str = "2026-11-22T12:00:00Z") -> dict[str, Any]:
    return {
        **RUNNING,
        "StartedAt": started_at,
        **({"Health": {"Status": health}} if health else {}),
    }


def ended(code: int, status: str = "exited") -> dict[str, Any]:
    return {"Status": status, "ExitCode": code, "StartedAt": "2026-11-22T12:00:00Z"}


@dataclass
class OneContainer:
    """`states` are what it is after a restart, look by look, the last one again and again."""

    name: str
    image: str = "nginx:1.27"
    state: dict[str, Any] = field(default_factory=lambda: dict(RUNNING))
    states: list[dict[str, Any]] = field(default_factory=lambda: [running()])
    labels: dict[str, str] = field(default_factory=dict)
    restart_policy: str = "unless-stopped"
    restarts: list[str | None] = field(default_factory=list)  # with the seconds to stop in
    restart_count: int = 0  # by the engine
    # What it has written: (stream, bytes) as the engine sends it, 1 for output and 2 for errors.
    log: list[tuple[int, bytes]] = field(default_factory=list)
    tty: bool = False

    @property
    def container_id(self) -> str:
        return self.name.encode().hex().ljust(64, "0")


class DockerStandIn:
    """What is asked of it goes through `refuse` first: (method, end of the path) → status."""

    def __init__(self, *containers: OneContainer) -> None:
        self.containers = {each.name: each for each in containers}
        self.refuse: dict[tuple[str, str], int] = {}
        self.refuse_once: dict[tuple[str, str], int] = {}  # after a restart
        self.hang: asyncio.Event | None = None  # a restart waits for it
        self.on_restart: Callable[[web.Request], Awaitable[None]] | None = None
        self.asked: list[str] = []
        self.asked_logs: list[dict[str, str]] = []  # the parameters
        self.raw_log: bytes | None = None  # in place of a log, whatever it is

    @property
    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._middleware()])
        app.router.add_get("/version", self._version)
        app.router.add_get("/v1.47/containers/json", self._list)
        app.router.add_get("/v1.47/containers/{name}/json", self._show)
        app.router.add_post("/v1.47/containers/{name}/restart", self._restart)
        app.router.add_get("/v1.47/containers/{name}/logs", self._logs)
        return app

    def _middleware(self) -> Any:
        @web.middleware
        async def refusing(request: web.Request, handler: Any) -> web.StreamResponse:
            self.asked.append(f"{request.method} {request.path}")
            if any(each.restarts for each in self.containers.values()):
                refuse, self.refuse_once = self.refuse | self.refuse_once, {}
            else:
                refuse = self.refuse
            for (method, end), status in refuse.items():
                if request.method == method and request.path.endswith(end):
                    return web.json_response({"message": "secret of /srv/data"}, status=status)
            answer: web.StreamResponse = await handler(request)
            return answer

        return refusing

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.47"})

    async def _list(self, request: web.Request) -> web.Response:
        wanted = json.loads(request.query["filters"])["label"]
        found = [
            {"Id": each.container_id, "Names": [f"/{each.name}"]}
            for each in self.containers.values()
            if set(wanted) <= {f"{key}={value}" for key, value in each.labels.items()}
        ]
        return web.json_response(found)

    async def _show(self, request: web.Request) -> web.Response:
        found = self._named(request)
        if found is None:
            return web.json_response({"message": "No such container"}, status=404)
        if found.restarts:
            found.state = found.states.pop(0) if len(found.states) > 1 else found.states[0]
        return web.json_response(
            {
                "Id": found.container_id,
                "Name": f"/{found.name}",
                "Image": "sha256:0123",
                "RestartCount": found.restart_count,
                "Config": {"Image": found.image, "Labels": found.labels, "Tty": found.tty},
                "HostConfig": {"RestartPolicy": {"Name": found.restart_policy}},
                "State": found.state,
            }
        )

    async def _restart(self, request: web.Request) -> web.Response:
        found = self._named(request)
        if found is None:
            return web.json_response({"message": "No such container"}, status=404)
        if self.on_restart is not None:
            await self.on_restart(request)
        found.restarts.append(request.query.get("t"))
        if self.hang is not None:
            await self.hang.wait()
        return web.Response(status=204)

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        found = self._named(request)
        if found is None:
            return web.json_response({"message": "No such container"}, status=404)
        self.asked_logs.append(dict(request.query))
        answer = web.StreamResponse()
        await answer.prepare(request)
        pieces = [piece if found.tty else _frame(stream, piece) for stream, piece in found.log]
        await answer.write(b"".join(pieces) if self.raw_log is None else self.raw_log)
        if self.hang is not None:
            await self.hang.wait()
        return answer

    def _named(self, request: web.Request) -> OneContainer | None:
        name = request.match_info["name"]
        by_id = (each for each in self.containers.values() if each.container_id.startswith(name))
        return self.containers.get(name) or next(by_id, None)


def _frame(stream: int, piece: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(piece).to_bytes(4, "big") + piece


@asynccontextmanager
async def on_socket(engine: DockerStandIn, path: Path) -> AsyncIterator[str]:
    """Serve it there; gives its address."""
    runner = web.AppRunner(engine.application)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(path)).start()
        yield f"unix://{path}"
    finally:
        if engine.hang is not None:
            engine.hang.set()
        await runner.cleanup()


@asynccontextmanager
async def on_port(engine: DockerStandIn) -> AsyncIterator[str]:
    """Serve it on loopback, as a socket proxy does; gives its address."""
    async with TestServer(engine.application) as server:
        yield f"tcp://127.0.0.1:{server.port}"
