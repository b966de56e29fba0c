"""Clients of an MCP server: kept connections, ready requests, and nothing of a client library."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.measuring import WrongWorkError, require
from lycatra_appservice.model import JSON

SERVER_NAME: Final = "hs.test"
OWNER: Final = f"@bench:{SERVER_NAME}"
SAID: Final = "hello"
CONNECTIONS: Final = 16
MODERN: Final = "2026-07-28"
LEGACY: Final = "2025-11-25"
_HEAD_END: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A server and how it is called; `token` where it asks for one."""

    port: int
    token: str | None = None

    def modern(self) -> Sequence[bytes]:
        """A call of the revision of 2026 for each connection."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        headers = {
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "echo",
        }
        return [self._request(_call(n, {"_meta": meta}), headers) for n in range(CONNECTIONS)]

    async def legacy(self) -> Sequence[bytes]:
        """The same in one session, which is begun here; no two of it have the same id."""
        hello = {
            "protocolVersion": LEGACY,
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        }
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
        connection = await Connection.open(self.port)
        head, _ = await connection.ask(self._request(message, {}))
        session = _header(head, "mcp-session-id")
        headers = {"MCP-Protocol-Version": LEGACY}
        if session is not None:
            headers["Mcp-Session-Id"] = session
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await connection.ask(self._request(told, headers))
        connection.close()
        return [self._request(_call(n, {}), headers) for n in range(1, CONNECTIONS + 1)]

    def _request(self, message: JSON, headers: Mapping[str, str]) -> bytes:
        body = json.dumps(message).encode()
        named = {
            "Host": f"127.0.0.1:{self.port}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Content-Length": str(len(body)),
            **headers,
        }
        if self.token is not None:
            named["Authorization"] = f"Bearer {self.token}"
        lines = [f"{name}: {value}\r\n" for name, value in named.items()]
        return b"POST /mcp HTTP/1.1\r\n" + "".join(lines).encode() + b"\r\n" + body


@dataclass(slots=True)
class Connection:
    """One kept connection, one request at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    seconds: list[float] = field(default_factory=list)

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> tuple[bytes, bytes]:
        """Head and body of the answer, whatever form that has."""
        self.writer.write(request)
        head = await self.reader.readuntil(_HEAD_END)
        if b"transfer-encoding: chunked" in head.lower():
            return head, await self.reader.readuntil(_LAST_CHUNK)
        return head, await self.reader.readexactly(int(_header(head, "content-length") or 0))

    async def call(self, request: bytes, count: int) -> None:
        """Call so often; every answer is looked at."""
        for _ in range(count):
            began = time.perf_counter()
            head, body = await self.ask(request)
            self.seconds.append(time.perf_counter() - began)
            if not head.startswith(b"HTTP/1.1 200") or SAID.encode() not in body:
                raise WrongWorkError(f"answered {head[:80]!r} {body[:300]!r}")

    def close(self) -> None:
        """End it."""
        self.writer.close()


async def speed(port: int, requests: Sequence[bytes], calls: int) -> float:
    """Calls a second over all connections at once."""
    connections = [await Connection.open(port) for _ in range(CONNECTIONS)]
    each = calls // CONNECTIONS
    began = time.perf_counter()
    pairs = zip(connections, requests, strict=True)
    await asyncio.gather(*(connection.call(request, each) for connection, request in pairs))
    took = time.perf_counter() - began
    for connection in connections:
        connection.close()
    require(took > 0, "no time has passed")
    return each * CONNECTIONS / took


async def alone_ms(port: int, request: bytes, calls: int) -> Sequence[float]:
    """How long each call takes, one after another on one connection."""
    connection = await Connection.open(port)
    await connection.call(request, calls)
    connection.close()
    return [seconds * 1000 for seconds in connection.seconds]


def _call(request_id: int, params: Mapping[str, JSON]) -> JSON:
    told = {"name": "echo", "arguments": {"text": SAID}, **params}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": told}


def _header(head: bytes, name: str) -> str | None:
    for line in head.decode().split("\r\n"):
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return None
