"""A TCP proxy that a test can make hold, drop or refuse, between any two of the programs."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Self

_LOOPBACK = "127.0.0.1"
_CHUNK_BYTES = 65536
_PAGE = b"<html><body>Welcome</body></html>"
_WEB_PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_PAGE), _PAGE)
)


class Mode(StrEnum):
    """What happens to traffic from now on."""

    PASS = "pass"
    HOLD_ANSWERS = "hold_answers"  # requests arrive, their answers wait here
    DROP_ANSWERS = "drop_answers"  # requests arrive, the connection breaks instead of the answer
    WEB_PAGES = "web_pages"  # requests arrive, a web page comes back instead of the answer
    REFUSE = "refuse"  # connections are closed at once


class Proxy:
    """Forwards connections to its targets in turn, as a load balancer does: to those that listen.

    A mode may be for some requests only: those that contain certain bytes.
    """

    def __init__(self, port: int, targets: Sequence[int]) -> None:
        self.port = port
        self.targets = list(targets)
        self._mode = Mode.PASS
        self._only = b""
        self._open = asyncio.Event()
        self._open.set()
        self._next = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{_LOOPBACK}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, _LOOPBACK, self.port)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self._open.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def set(self, mode: Mode, only: str = "") -> None:
        """Treat traffic so from now on; held answers go out when it stops holding.

        With `only` the answers of requests that contain this text, and all others pass.
        """
        self._mode = mode
        self._only = only.encode()
        if mode is Mode.HOLD_ANSWERS:
            self._open.clear()
        else:
            self._open.set()

    def cut(self) -> None:
        """Break every open connection."""
        for task in list(self._tasks):
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # a broken connection is what this is for
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode is Mode.REFUSE or not self.targets:
            return
        upstream, sink = await self._connect()
        requests = _LastRequest()
        try:
            async with asyncio.TaskGroup() as group:
                there = group.create_task(requests.forward(reader, sink))
                back = group.create_task(self._answer(requests, upstream, writer))
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
                there.cancel()
                back.cancel()
        finally:
            sink.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in self.targets[1:]:
            try:
                return await self._connect_next()
            except OSError:
                continue
        return await self._connect_next()

    async def _connect_next(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        target = self.targets[self._next % len(self.targets)]
        self._next += 1
        return await asyncio.open_connection(_LOOPBACK, target)

    async def _answer(
        self, requests: "_LastRequest", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            if self._only in requests.latest:
                if self._mode is Mode.DROP_ANSWERS:
                    return
                if self._mode is Mode.WEB_PAGES:
                    writer.write(_WEB_PAGE)
                    await writer.drain()
                    return
                await self._open.wait()
            requests.latest = b""
            writer.write(data)
            await writer.drain()


class _LastRequest:
    """Carries a connection's requests, and remembers the one that has no answer yet."""

    def __init__(self) -> None:
        self.latest = b""

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            self.latest += data
            writer.write(data)
            await writer.drain()
