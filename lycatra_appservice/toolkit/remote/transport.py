"""The two ways to a server: a program that we start, and an address that the operator wrote."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeAlias

import httpx2
from mcp.client.streamable_http import streamable_http_client

from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.remote.program import open_program

MAX_BODY_BYTES: Final = 16 * 1024 * 1024
# A stream may be silent as long as a person thinks; each call has a deadline of its own.
_TIMES: Final = httpx2.Timeout(10, read=None)
_SHUT: Final = frozenset({401, 403, 407})

Streams: TypeAlias = tuple[Any, Any]  # the SDK's, from and to the server


def open_transport(server: McpServer, gone: asyncio.Event) -> AbstractAsyncContextManager[Streams]:
    """Open it; `gone` is set when a program has ended."""
    return _address(server, server.url) if server.url else open_program(server, gone)


@asynccontextmanager
async def _address(server: McpServer, url: str) -> AsyncIterator[Streams]:
    headers = {name: value.get_secret_value() for name, value in server.headers.items()}
    async with (
        httpx2.AsyncClient(
            headers={
                "User-Agent": "lycatra-appservice",
                "Accept-Encoding": "identity",  # what is counted is what comes
                **headers,
            },
            timeout=_TIMES,
            transport=_Bounded(retries=0),
            trust_env=False,  # what goes there goes nowhere else
            follow_redirects=False,
        ) as client,
        streamable_http_client(
            url, http_client=client, max_sse_event_size=MAX_BODY_BYTES
        ) as streams,
    ):
        yield streams


class _Bounded(httpx2.AsyncHTTPTransport):
    """Ends an answer that is larger than anybody could read, and says when we are not let in."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if response.status_code in _SHUT:
            # The SDK would only say that there was an error.
            await response.aclose()
            raise httpx2.ConnectError(f"it answers HTTP {response.status_code}")
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.StreamError("the answer is packed, and nobody asked for that")
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            response.stream = _Counted(response.stream)
        return response


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._stream:
            read += len(chunk)
            if read > MAX_BODY_BYTES:
                # Of all errors the one that the SDK takes for this request's alone.
                raise httpx2.StreamError("the answer is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
