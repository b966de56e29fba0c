"""A TCP proxy on loopback that can lose answers, refuse, or hold back what it carries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

_CHUNK_BYTES = 65536


class Mode(StrEnum):
    """What becomes of what comes in."""

    PASS = "pass"
    DROP_ANSWERS = "drop_answers"  # what is asked arrives; its first answer cuts the connection
    REFUSE = "refuse"  # every connection is cut, old ones, too
    HOLD = "hold"  # nothing moves until another mode is set


class TcpProxy:
    """Carries connections to one place. The mode may change at any time, for open ones, too."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url)
        self._mode = Mode.PASS
        self._moving = asyncio.Event()
        self._moving.set()
        self._doomed: bytes | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.lost_answers = 0

    @classmethod
    @asynccontextmanager
    async def before(cls, url: str) -> AsyncIterator[Self]:
        """Serve on a free port of 127.0.0.1, until the block ends, for the server of a URL."""
        proxy = cls(url)
        proxy._server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        try:
            yield proxy
        finally:
            proxy._server.close()
            await proxy.cut()

    @property
    def url(self) -> str:
        """The server's URL, with the proxy in its place."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        user, at, _ = self._place.netloc.rpartition("@")
        return self._place._replace(netloc=f"{user}{at}127.0.0.1:{port}").geturl()

    async def set_mode(self, mode: Mode) -> None:
        """Change what happens from now on."""
        self._mode = mode
        if mode is Mode.HOLD:
            self._moving.clear()
        else:
            self._moving.set()
        if mode is Mode.REFUSE:
            await self.cut()

    def drop_answer_to(self, request: bytes) -> None:
        """Once: deliver what holds these bytes, and cut its connection instead of answering."""
        self._doomed = request

    async def cut(self) -> None:
        """End every open connection."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        try:
            if self._mode is not Mode.REFUSE:
                await self._link(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # one of the sides, or the test, has ended it
        finally:
            self._links.discard(link)
            await _close(writer)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(
            self._place.hostname, self._place.port
        )
        doomed = asyncio.Event()
        ways = {
            asyncio.create_task(self._carry_requests(reader, far_writer, doomed)),
            asyncio.create_task(self._carry_answers(far_reader, writer, doomed)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await _close(far_writer)

    async def _carry_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            await self._moving.wait()
            if self._doomed is not None and self._doomed in chunk:
                self._doomed = None
                doomed.set()
            writer.write(chunk)
            await writer.drain()

    async def _carry_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            await self._moving.wait()
            if doomed.is_set() or self._mode is Mode.DROP_ANSWERS:
                self.lost_answers += 1
                return
            writer.write(chunk)
            await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
