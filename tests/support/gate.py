"""A web server whose answers wait until a test opens it: stands behind a `services` check."""

import asyncio
from typing import Self

from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.model import JSON


class Gate:
    """Counts who comes and lets nobody through before `open`; owned by `async with`."""

    def __init__(self) -> None:
        self.arrivals = 0
        self._came = asyncio.Condition()
        self._opened = asyncio.Event()
        app = web.Application()
        app.router.add_get("/", self._answer)
        self._server = TestServer(app, host="127.0.0.1")

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._opened.set()
        await self._server.close()

    def open(self) -> None:
        """Answer everybody who waits, and who comes later."""
        self._opened.set()

    def close(self) -> None:
        """Have everybody wait who comes from now on, and count them anew."""
        self.arrivals = 0
        self._opened.clear()

    async def reached(self, times: int = 1) -> None:
        """Return when so many have come."""
        async with asyncio.timeout(45), self._came:
            await self._came.wait_for(lambda: self.arrivals >= times)

    def as_tools(self) -> dict[str, JSON]:
        """The `tools` section whose one service check asks here."""
        check = {
            "name": "gate",
            "kind": "http",
            "url": str(self._server.make_url("/")),
            "timeout_seconds": 20,
        }
        # Only who asks comes here, and nobody who looks by himself.
        return {"services": {"checks": [check], "watch": False}}

    async def _answer(self, _: web.Request) -> web.Response:
        async with self._came:
            self.arrivals += 1
            self._came.notify_all()
        await self._opened.wait()
        return web.Response(text="fine")
