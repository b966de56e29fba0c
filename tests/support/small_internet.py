"""An internet of a few test servers: every connection of this event loop ends at one of them.

What nobody serves, the own machine and its network above all, is the canary: a real server that
counts who comes. So a guard that lets too much through is seen by a connection, and no test
leaves this machine.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import pytest
from aiohttp import ThreadedResolver, web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Names(AbstractResolver):
    """Answers from a table, each lookup with the next line of it; numbers as the system does."""

    def __init__(self) -> None:
        self.table: dict[str, list[Sequence[str]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host[:1].isdigit() or ":" in host:
            return await ThreadedResolver().resolve(host, port, family)
        answers = self.table.get(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [_result(host, port, each) for each in addresses]

    async def close(self) -> None:
        """Nothing is open."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)


class SmallInternet:
    """Names, addresses and the servers behind them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.names = Names()
        self.canary_visits = 0
        self.canary_port = 0
        self.connected: list[tuple[str, int]] = []
        self._stack = stack
        self._servers: dict[tuple[str, int], int | None] = {}

    def name(self, name: str, *answers: Sequence[str]) -> None:
        """Each lookup gives the next of these answers, the last one again and again."""
        self.names.table[name] = list(answers)

    async def serve(self, address: str, port: int, handler: Handler) -> None:
        """Answer everything that is asked of this address and port, without TLS."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        server = await self._stack.enter_async_context(TestServer(app))
        assert server.port
        self._servers[address, port] = server.port

    def lead(self, address: str, port: int, local_port: int) -> None:
        """Whoever listens there on this machine answers."""
        self._servers[address, port] = local_port

    def refuse(self, address: str, port: int) -> None:
        """Nobody listens there."""
        self._servers[address, port] = None

    async def open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        canary = await asyncio.start_server(self._visited, "127.0.0.1", 0)
        await self._stack.enter_async_context(canary)
        self.canary_port = canary.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        really = loop.sock_connect

        async def connect(sock: socket.socket, address: tuple[str, int]) -> None:
            host, port = address[:2]
            self.connected.append((host, port))
            local_port = self._servers.get((host, port), self.canary_port)
            if local_port is None:
                raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens there")
            local = "127.0.0.1" if sock.family == socket.AF_INET else "::ffff:127.0.0.1"
            await really(sock, (local, local_port))

        monkeypatch.setattr(loop, "sock_connect", connect)

    async def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.canary_visits += 1
        writer.close()


@asynccontextmanager
async def small_internet(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallInternet]:
    """Take the place of the network for this event loop."""
    async with AsyncExitStack() as stack:
        internet = SmallInternet(stack)
        # Undone at the end: the next one of this event loop must not lead through this one.
        await internet.open(stack.enter_context(monkeypatch.context()))
        yield internet
