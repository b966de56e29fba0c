"""`/mcp/token-exchange`: a script that can prove who it is gets a short token."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestServer

from lycatra_appservice.matrix.session import homeserver_session
from lycatra_appservice.mcp.addresses import Addresses
from lycatra_appservice.mcp.openid import ForeignHomeservers, OpenIdPeople, OwnHomeserver
from lycatra_appservice.mcp.pace import Pace
from lycatra_appservice.mcp.token_exchange import PATH, TokenExchange
from lycatra_appservice.mcp.tokens import TokenStore
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.guard.allowance import Allowance
from lycatra_appservice.toolkit.guard.outbound import Outbound
from tests.support.json_peer import JsonPeer, open_json_peer
from tests.support.scene import PERSON, open_scene
from tests.support.toolbench import Lists

OWN = "hs.test"
OPENID = "openid-secret"


@dataclass
class Counter:
    """The exchange, and the homeserver that it asks."""

    homeserver: JsonPeer
    tokens: TokenStore
    http: ClientSession
    url: str

    async def ask(self, server: JSON = OWN, token: JSON = OPENID) -> ClientResponse:
        body = {"access_token": token, "matrix_server_name": server}
        return await self.http.post(self.url, json=body)


@asynccontextmanager
async def counter(folder: Path, per_minute: int = 1000) -> AsyncIterator[Counter]:
    lists = Lists(viewer=["*:hs.test"], none=["@denied:hs.test"])
    async with open_scene(folder, lists=lists) as scene, open_json_peer() as homeserver:
        homeserver.document = {"sub": PERSON}
        people = OpenIdPeople(
            own_server=OWN,
            servers=frozenset({OWN, "localhost"}),
            own=OwnHomeserver(homeserver.url, lambda: homeserver_session(None)),
            foreign=ForeignHomeservers(Outbound(Allowance(), log=logging.getLogger("test"))),
        )
        tokens = TokenStore(scene.database)
        exchange = TokenExchange(
            people, tokens, scene.ground.rights, addresses=Addresses(), pace=Pace(per_minute)
        )
        app = web.Application()
        app.add_routes(exchange.routes())
        async with TestServer(app, host="127.0.0.1") as server, ClientSession() as http:
            yield Counter(homeserver, tokens, http, str(server.make_url(PATH)))


async def test_an_openid_token_becomes_a_token_of_an_hour(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        response = await at.ask()
        made = await response.json()
        assert (response.status, made["expires_in"]) == (200, 3600)
        assert response.headers["Cache-Control"] == "no-store"
        found = await at.tokens.find(made["access_token"])
        assert found is not None
        assert (found.owner, found.left.total_seconds() <= 3600) == (PERSON, True)
        assert (await at.ask()).status == 200  # a second script of the same person


@pytest.mark.parametrize("sub", ["@a:other.test", "@a:hs.test.evil", "a:hs.test", None, 5])
async def test_a_homeserver_speaks_for_its_own_people_only(tmp_path: Path, sub: JSON) -> None:
    async with counter(tmp_path) as at:
        at.homeserver.document = {"sub": sub}
        assert (await at.ask()).status == 403
        assert await at.tokens.all() == []


async def test_a_homeserver_that_is_not_listed_is_never_asked(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        assert (await at.ask(server="evil.test")).status == 403
        assert at.homeserver.asked == []


async def test_a_listed_name_leads_nobody_into_the_own_network(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        assert (await at.ask(server="localhost")).status == 502


async def test_somebody_on_the_deny_list_gets_none(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        at.homeserver.document = {"sub": "@denied:hs.test"}
        assert (await at.ask()).status == 403
        assert await at.tokens.all() == []


async def test_a_wrong_token_and_a_homeserver_in_trouble_are_told_apart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with counter(tmp_path) as at:
        at.homeserver.instead = lambda _: web.json_response({}, status=401)
        assert (await at.ask()).status == 403
        for broken in (
            lambda _: web.json_response({}, status=500),
            lambda _: web.Response(text="<html>"),
            lambda _: web.Response(body=b"x" * 20_000),
            lambda _: web.HTTPFound("/elsewhere"),
        ):
            at.homeserver.instead = broken
            with caplog.at_level(logging.DEBUG, logger="lycatra_appservice"):
                assert (await at.ask()).status == 502
    ours = [each for each in caplog.records if each.name.startswith("lycatra_appservice")]
    assert ours
    assert not any(OPENID in str(each.__dict__) for each in ours)


@pytest.mark.parametrize("token", [None, "", 5, "x" * 2000])
async def test_a_body_that_is_none_is_refused_in_a_sentence(tmp_path: Path, token: JSON) -> None:
    async with counter(tmp_path) as at:
        response = await at.ask(token=token)
        assert response.status == 400
        assert "access_token" in (await response.json())["error"]["message"]


async def test_whoever_asks_too_often_is_told_to_wait(tmp_path: Path) -> None:
    async with counter(tmp_path, per_minute=4) as at:
        assert (await at.ask()).status == 200
        second = await at.ask()
        assert second.status == 429
        assert int(second.headers["Retry-After"]) >= 1
