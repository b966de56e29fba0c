"""Looking at an address: what answers there, and in which of the ways it does not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.doctor.address import NoHomeserverError, look_at
from lycatra_appservice.doctor.synapse_version import Software, which_software
from lycatra_appservice.matrix.session import homeserver_session
from lycatra_appservice.model import JSON

VERSIONS = {"versions": ["v1.12"], "unstable_features": {"a": True}}


@asynccontextmanager
async def site(
    pages: dict[str, JSON], headers: dict[str, str] | None = None, status: int = 200
) -> AsyncIterator[str]:
    """A server with these pages; anything else is 404 with a web page."""

    async def answer(request: web.Request) -> web.Response:
        if request.path in pages:
            return web.json_response(pages[request.path], headers=headers, status=status)
        return web.Response(text="<html>no</html>", content_type="text/html", status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("")).rstrip("/")


async def refused(url: str) -> str:
    async with homeserver_session(None) as session:
        with pytest.raises(NoHomeserverError) as caught:
            await look_at(session, url)
    return str(caught.value)


async def software_at(url: str) -> Software:
    async with homeserver_session(None) as session:
        return await which_software(session, await look_at(session, url))


async def test_a_homeserver_tells_features_software_and_its_clock() -> None:
    headers = {"Server": "Synapse/1.150.0", "Date": "Thu, 01 Jan 2015 00:00:00 GMT"}
    async with (
        site({"/_matrix/client/versions": VERSIONS}, headers) as url,
        homeserver_session(None) as session,
    ):
        seen = await look_at(session, url)
        assert await which_software(session, seen) == Software("Synapse", (1, 150))
    assert seen.features == {"a": True}
    assert seen.clock_ahead is not None
    assert seen.clock_ahead.days < -3000


@pytest.mark.parametrize(
    ("page", "content", "software"),
    [
        (
            "/_synapse/admin/v1/server_version",
            {"server_version": "1.141.0 (b=x)"},
            Software("Synapse", (1, 141)),
        ),
        (
            "/_matrix/federation/v1/version",
            {"server": {"name": "Synapse", "version": "1.99.0"}},
            Software("Synapse", (1, 99)),
        ),
        (
            "/_matrix/federation/v1/version",
            {"server": {"name": "Dendrite", "version": "0.13.0"}},
            Software("Dendrite", None),
        ),
        ("/elsewhere", {}, Software("", None)),
        ("/_matrix/federation/v1/version", {"server": 7}, Software("", None)),
    ],
)
async def test_behind_a_proxy_the_software_is_found_elsewhere(
    page: str, content: JSON, software: Software
) -> None:
    pages = {"/_matrix/client/versions": VERSIONS, page: content}
    async with site(pages, {"Server": "nginx"}) as url:
        assert await software_at(url) == software


async def test_what_is_no_homeserver_is_told_apart() -> None:
    async with site({}) as url:
        assert "no homeserver does (status 404)" in await refused(url)
    async with site({"/_matrix/client/versions": ["no", "object"]}) as url:
        assert "no homeserver does (status 200)" in await refused(url)
    headers = {"Location": "https://matrix.hs.test/_matrix/client/versions"}
    async with site({"/_matrix/client/versions": {}}, headers, 301) as url:
        assert await refused(url) == f"{url} sends us elsewhere: use https://matrix.hs.test"


async def test_what_cannot_be_reached_is_told_with_the_reason() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        assert "cannot be reached" in await refused(f"http://127.0.0.1:{port}")
    assert "has a name that is not known here" in await refused("http://nobody.invalid")


@pytest.mark.parametrize(
    ("scheme", "greeting", "sentence"),
    [
        ("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
        ("http", b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
    ],
)
async def test_another_protocol_is_told(scheme: str, greeting: bytes, sentence: str) -> None:
    async with talker(greeting) as port:
        assert sentence in await refused(f"{scheme}://127.0.0.1:{port}")


@asynccontextmanager
async def talker(greeting: bytes) -> AsyncIterator[int]:
    """A server that says the same to everybody."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
