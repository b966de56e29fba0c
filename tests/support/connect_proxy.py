"""A proxy on loopback that tunnels by CONNECT, and remembers what it was asked and what it saw."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_CHUNK_BYTES = 65536


@dataclass(slots=True)
class ConnectProxy:
    """Brings every tunnel to `target`, whatever its name; any other status is its answer."""

    target: int
    status: int = 200
    port: int = 0
    asked: list[str] = field(default_factory=list)
    carried: bytearray = field(default_factory=bytearray)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(f"HTTP/1.1 {self.status} so\r\nContent-Length: 0\r\n\r\n".encode())
            if self.status == 200:
                await self._tunnel(reader, writer)
        except OSError:
            pass  # one of the ends has gone
        finally:
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, back))
                both.create_task(self._carry(there, writer))
        finally:
            back.close()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(_CHUNK_BYTES):
            self.carried += chunk
            sink.write(chunk)
            await sink.drain()
        sink.write_eof() if sink.can_write_eof() else sink.close()


@asynccontextmanager
async def connect_proxy(target: int) -> AsyncIterator[ConnectProxy]:
    """A running one."""
    proxy = ConnectProxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await server.wait_closed()
