"""What an address may answer."""

import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import mcp_types as types
import pytest
from aiohttp import web

from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.remote.connection import Connection
from lycatra_appservice.toolkit.remote.failures import RemoteError
from lycatra_appservice.toolkit.remote.transport import MAX_BODY_BYTES
from tests.support.remote_peer import Person, free_port

PACKED = gzip.compress(b"[" + b" " * MAX_BODY_BYTES * 4 + b"]")


@asynccontextmanager
async def answering(body: bytes, **headers: str) -> AsyncIterator[tuple[Connection, list[str]]]:
    """A server that gives the same answer to everybody, and what it was told of packing."""
    wanted: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        wanted.append(request.headers.get("Accept-Encoding", ""))
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def hear(tools: Sequence[types.Tool]) -> None:
        raise AssertionError(tools)

    application = web.Application()
    application.router.add_route("*", "/mcp", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        server = McpServer.model_validate({"url": f"http://127.0.0.1:{port}/mcp"})
        yield Connection("peer", server, Person(), hear), wanted
    finally:
        await runner.cleanup()


async def test_a_small_answer_that_is_a_large_one_packed_is_not_read() -> None:
    assert len(PACKED) < MAX_BODY_BYTES
    async with answering(PACKED, **{"Content-Encoding": "gzip"}) as (connection, wanted):
        with pytest.raises(RemoteError) as refused:
            await connection.look_once()

    assert "packed" in str(refused.value)
    assert set(wanted) == {"identity"}


async def test_an_answer_is_not_read_to_the_end_if_that_is_far() -> None:
    async with answering(b" " * (MAX_BODY_BYTES + 1)) as (connection, _):
        with pytest.raises(RemoteError) as refused:
            await connection.look_once()

    assert "too large" in str(refused.value)
