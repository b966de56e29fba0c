"""A Docker Engine on which containers are made, renamed and removed, on a Unix socket."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

SECRET = "secret of /srv/data"


@dataclass
class Made:
    """A container; `config`, `host` and `networks` are as the engine shows them."""

    number: int
    image: str
    config: dict[str, Any]
    host: dict[str, Any]
    networks: dict[str, Any]
    status: str = "created"
    mounts: list[dict[str, Any]] = field(default_factory=list)
    starts: int = 0
    given_id: str | None = None

    @property
    def container_id(self) -> str:
        return self.given_id or f"{self.number:064x}"


class SwappingEngine:
    """`images` by name are what a registry would give; `refuse` is (method, end of path)."""

    def __init__(self) -> None:
        self.containers: dict[str, Made] = {}
        self.registry: dict[str, dict[str, Any]] = {}
        self.pulled: dict[str, dict[str, Any]] = {}
        self.health: dict[str, str] = {}  # by image; without one there is no health check
        self.ends: set[str] = set()  # images whose containers end at once
        self.refuse: dict[tuple[str, str], int] = {}
        self.refuse_start: dict[str, int] = {}  # by image
        self.logins: list[Any] = []
        self.asked: list[str] = []
        self.kill_after: str | None = None  # a request, once it is done
        self.kill: Callable[[], None] = lambda: None  # ends who has asked
        self._number = 0

    def add(self, name: str, image: str, **more: Any) -> Made:
        self._number += 1
        made = Made(
            number=self._number,
            image=image,
            config={"Image": image, **more.pop("config", {})},
            host=more.pop("host", {}),
            networks=more.pop("networks", {}),
            **more,
        )
        self.containers[name] = made
        return made

    def images(self) -> dict[str, str]:
        """The image of each container, by its name."""
        return {name: each.image for name, each in sorted(self.containers.items())}

    @property
    def application(self) -> web.Application:
        @web.middleware
        async def refusing(request: web.Request, handler: Any) -> web.StreamResponse:
            path = request.path.removeprefix("/v1.47")
            if request.method != "GET":
                self.asked.append(f"{request.method} {path}")
            for (method, end), status in self.refuse.items():
                if request.method == method and path.endswith(end):
                    return web.json_response({"message": SECRET}, status=status)
            answer: web.StreamResponse = await handler(request)
            if f"{request.method} {path}" == self.kill_after:
                self.kill_after = None
                self.kill()
            return answer

        app = web.Application(middlewares=[refusing])
        app.router.add_get("/version", self._version)
        at = "/v1.47/containers"
        app.router.add_get(f"{at}/{{name}}/json", self._show)
        app.router.add_post(f"{at}/create", self._create)
        app.router.add_post(f"{at}/{{name}}/start", self._start)
        app.router.add_post(f"{at}/{{name}}/stop", self._stop)
        app.router.add_post(f"{at}/{{name}}/rename", self._rename)
        app.router.add_delete(f"{at}/{{name}}", self._remove)
        app.router.add_get("/v1.47/images/{name:.+}/json", self._image)
        app.router.add_post("/v1.47/images/create", self._pull)
        app.router.add_get("/v1.47/networks/{name}", self._network)
        app.router.add_post("/v1.47/networks/{name}/connect", self._connect)
        return app

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.47"})

    async def _show(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        made = self.containers.get(name)
        if made is None:
            return _missing()
        health = self.health.get(made.image)
        is_up = made.status == "running"
        state = {
            "Status": made.status,
            "ExitCode": 0 if is_up else 1,
            "StartedAt": f"start {made.starts}",
            **({"Health": {"Status": health}} if health else {}),
        }
        return web.json_response(
            {
                "Id": made.container_id,
                "Name": f"/{name}",
                "Image": self._image_id(made.image),
                "Config": made.config,
                "HostConfig": made.host,
                "State": state,
                "Mounts": made.mounts,
                "NetworkSettings": {"Networks": made.networks},
            }
        )

    async def _create(self, request: web.Request) -> web.Response:
        name, body = request.query["name"], await request.json()
        if name in self.containers:
            return web.json_response({"message": SECRET}, status=409)
        if body["Image"] not in self.pulled:
            return _missing()
        endpoints = body.pop("NetworkingConfig", {}).get("EndpointsConfig", {})
        assert len(endpoints) <= 1, "older engines refuse more"
        host = body.pop("HostConfig")
        mode = host.get("NetworkMode")
        by_mode: dict[str, Any] = {mode: {}} if mode else {}
        networks = {**by_mode, **endpoints}
        made = self.add(name, body["Image"], config=body, host=host, networks=networks)
        return web.json_response({"Id": made.container_id, "Warnings": []}, status=201)

    async def _start(self, request: web.Request) -> web.Response:
        made = self.containers[request.match_info["name"]]
        if made.image in self.refuse_start:
            status = self.refuse_start[made.image]
            return web.json_response({"message": SECRET}, status=status)
        if made.status != "running":
            made.starts += 1
            made.status = "exited" if made.image in self.ends else "running"
        return web.Response(status=204)

    async def _stop(self, request: web.Request) -> web.Response:
        self.containers[request.match_info["name"]].status = "exited"
        return web.Response(status=204)

    async def _rename(self, request: web.Request) -> web.Response:
        new = request.query["name"]
        if new in self.containers:
            return web.json_response({"message": SECRET}, status=409)
        self.containers[new] = self.containers.pop(request.match_info["name"])
        return web.Response(status=204)

    async def _remove(self, request: web.Request) -> web.Response:
        assert "v" not in request.query, "volumes are kept"
        if self.containers.pop(request.match_info["name"], None) is None:
            return _missing()
        return web.Response(status=204)

    async def _image(self, request: web.Request) -> web.Response:
        wanted = request.match_info["name"]
        for name, config in self.pulled.items():
            if wanted in (name, self._image_id(name)):
                return web.json_response({"Id": self._image_id(name), "Config": config})
        return _missing()

    async def _pull(self, request: web.Request) -> web.Response:
        login = request.headers.get("X-Registry-Auth")
        self.logins.append(json.loads(base64.urlsafe_b64decode(login)) if login else None)
        name = request.query["fromImage"]
        if "tag" in request.query:
            name = f"{name}:{request.query['tag']}"
        if name not in self.registry:
            line = json.dumps({"errorDetail": {"message": SECRET}, "error": SECRET})
        else:
            self.pulled[name] = self.registry[name]
            line = json.dumps({"status": "Pull complete"})
        return web.Response(text=f"{line}\n", content_type="application/json")

    async def _network(self, request: web.Request) -> web.Response:
        return web.json_response({"Id": request.match_info["name"]})

    async def _connect(self, request: web.Request) -> web.Response:
        asked = await request.json()
        network = request.match_info["name"]
        connected = self.containers[asked["Container"]].networks
        if network in connected:
            return web.json_response({"message": "already connected"}, status=403)
        connected[network] = asked["EndpointConfig"]
        return web.json_response({})

    def _image_id(self, name: str) -> str:
        return f"sha256:{name.encode().hex().ljust(64, '0')[:64]}"


def _missing() -> web.Response:
    return web.json_response({"message": SECRET}, status=404)


@asynccontextmanager
async def on_socket(engine: SwappingEngine, path: Path) -> AsyncIterator[str]:
    """Serve it there; gives its address."""
    runner = web.AppRunner(engine.application)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(path)).start()
        yield f"unix://{path}"
    finally:
        await runner.cleanup()
