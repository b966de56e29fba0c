"""Updates from web addresses: good ones, broken ones and dead ones."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.errors import ToolFailedError
from tests.unit.tools.updates.conftest import ListUpdates

ATOM = """\
<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title>Releases</title>
  <entry>
    <title>Shop 1.1 &amp; more</title>
    <updated>2026-11-20T10:00:00Z</updated>
    <link rel="alternate" href="https://shop.example/1.1"/>
  </entry>
  <entry><title type="xhtml"><b>Shop</b> 1.0</title><published>2026-11-01</published></entry>
  <entry/>
</feed>
"""
BOMB = """\
<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>&b;</title></entry></feed>
"""
RELEASES = [
    {
        "tag_name": "v1.1",
        "name": "Pay by card",
        "published_at": "2026-11-20T10:00:00Z",
        "html_url": "https://shop.example/1.1",
        "body": "* Cards\n* Coins",
    },
    {"draft": True},
]
RELEASE_FIELDS = {
    "version": "tag_name",
    "title": "name",
    "date": "published_at",
    "changes": "body",
    "url": "html_url",
}


class Peer:
    """A web server of somebody else; tests say what it answers."""

    def __init__(self) -> None:
        self.response = web.Response()
        self.said: str | None = None
        self.leads_to = "/round"
        self.hangs = False
        self.breaks_off = False
        self.server = TestServer(web.Application())
        self.server.app.router.add_get("/feed", self._feed)
        self.server.app.router.add_get("/round", self._round)

    async def _feed(self, request: web.Request) -> web.StreamResponse:
        self.said = request.headers.get("Authorization")
        if self.hangs:
            await asyncio.Future()
        if self.breaks_off:
            assert request.transport is not None
            request.transport.close()
        return self.response

    async def _round(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(self.leads_to)

    def source(self, **more: Any) -> dict[str, Any]:
        url = str(self.server.make_url("/feed?token=secret"))
        return {"name": "shop", "kind": "url", "url": url, **more}


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    async with peer.server:
        yield peer


async def test_an_atom_feed_is_read(list_updates: ListUpdates, peer: Peer) -> None:
    peer.response = web.Response(text=ATOM)

    updates = (await list_updates([peer.source()])).data["updates"]

    assert [(u["title"], u["date"], u["url"]) for u in updates] == [
        ("Shop 1.1 & more", "2026-11-20T10:00:00+00:00", "https://shop.example/1.1"),
        ("Shop 1.0", "2026-11-01", None),
        ("(no title)", None, None),
    ]


async def test_json_is_read_by_its_field_map(list_updates: ListUpdates, peer: Peer) -> None:
    peer.response = web.json_response({"data": {"releases": RELEASES}})

    result = await list_updates([peer.source(items="data.releases", fields=RELEASE_FIELDS)])

    assert result.data["updates"] == [
        {
            "service": "shop",
            "version": "v1.1",
            "title": "Pay by card",
            "date": "2026-11-20T10:00:00+00:00",
            "kind": "entry",
            "changes": ["Cards", "Coins"],
            "url": "https://shop.example/1.1",
        }
    ]
    assert result.data["notes"] == ["`shop`: 1 records had no version or title"]


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (web.Response(status=503), "its address answers HTTP 503"),
        (web.Response(text="<html><body>Login"), "its answer is broken XML"),
        (web.Response(text="<html/>"), "its answer is XML, but no Atom feed"),
        (web.Response(text=BOMB), "its answer has a DTD, which is refused"),
        (web.Response(text="hello"), "its answer is neither JSON nor an Atom feed"),
        (web.Response(text=""), "its answer is neither JSON nor an Atom feed"),
        (web.Response(text="[" * 100_000), "its answer is neither JSON nor an Atom feed"),
        (web.json_response({"releases": []}), "there is no list in its answer; `items` names"),
        (web.Response(body=b" " * 2_000_001), "its answer is larger than 2 MB"),
    ],
)
async def test_an_answer_that_is_no_list_of_updates_is_named(
    list_updates: ListUpdates, peer: Peer, response: web.Response, words: str
) -> None:
    peer.response = response
    with pytest.raises(ToolFailedError) as caught:
        await list_updates([peer.source()])
    assert words in caught.value.user_message


async def test_redirects_come_to_an_end(list_updates: ListUpdates, peer: Peer) -> None:
    url = str(peer.server.make_url("/round"))
    with pytest.raises(ToolFailedError, match="its address cannot be reached"):
        await list_updates([{"name": "shop", "kind": "url", "url": url}])


async def test_a_source_does_not_lead_to_another_place_of_this_machine(
    list_updates: ListUpdates, peer: Peer
) -> None:
    other = Peer()
    async with other.server:
        peer.leads_to = str(other.server.make_url("/feed"))
        url = str(peer.server.make_url("/round"))
        with pytest.raises(ToolFailedError, match="it is not read: it redirects to where"):
            await list_updates([{"name": "shop", "kind": "url", "url": url}])


async def test_the_user_and_password_of_a_source_are_said_to_it(
    list_updates: ListUpdates, peer: Peer
) -> None:
    peer.response = web.Response(text=ATOM)
    url = str(peer.server.make_url("/feed")).replace("//", "//me:p%40ss@")

    await list_updates([{"name": "shop", "kind": "url", "url": url}])

    assert peer.said == "Basic bWU6cEBzcw=="


async def test_a_peer_that_breaks_off_is_named(list_updates: ListUpdates, peer: Peer) -> None:
    peer.breaks_off = True
    with pytest.raises(ToolFailedError, match="its address cannot be reached"):
        await list_updates([peer.source()])


async def test_a_peer_that_hangs_does_not_keep_the_others_waiting(
    list_updates: ListUpdates, peer: Peer
) -> None:
    peer.hangs = True
    own = {"name": "lycatra", "kind": "changelog"}

    async with asyncio.timeout(10):
        result = await list_updates([peer.source(timeout_seconds=0.05), own])

    assert result.data["total"] >= 1
    assert result.data["notes"] == ["`shop`: it did not answer within 0.05 seconds"]


async def test_a_dead_address_is_named_without_its_secrets(
    list_updates: ListUpdates, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken:  # bound, but nobody listens: refused for sure
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/feed?token=secret"
        with pytest.raises(ToolFailedError, match="its address cannot be reached") as caught:
            await list_updates([{"name": "shop", "kind": "url", "url": url}])

    assert "secret" not in caught.value.user_message
    assert not any("secret" in str(vars(record)) for record in caplog.records)
