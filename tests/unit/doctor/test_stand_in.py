"""Standing in for the service: pings are answered, events are kept where they are."""

from ipaddress import IPv4Address

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from lycatra_appservice.demo.homeserver import free_port
from lycatra_appservice.doctor.port import Holder, who_listens
from lycatra_appservice.doctor.stand_in import PortError, StandIn
from lycatra_appservice.settings import Appservice, Listen

HS_TOKEN = "hs-token-of-a-test"
PING = "/_matrix/app/v1/ping"


def appservice(port: int, hs_token: str = HS_TOKEN, host: str = "127.0.0.1") -> Appservice:
    return Appservice(
        as_token=SecretStr("as"), hs_token=SecretStr(hs_token), listen=Listen(host=host, port=port)
    )


async def call(port: int, method: str, path: str, token: str = HS_TOKEN) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
        http.request(method, path, json={}, headers=headers) as answer,
    ):
        return answer.status


async def test_a_ping_is_answered_and_an_event_is_left_with_the_homeserver() -> None:
    port = free_port()
    async with StandIn(appservice(port)) as stand_in:
        assert await call(port, "POST", PING) == 200
        assert stand_in.pinged
        assert await call(port, "PUT", "/_matrix/app/v1/transactions/1") == 503
        assert stand_in.refused == 0
        assert await call(port, "POST", PING, token="other") == 403
        assert stand_in.refused == 1


@pytest.mark.parametrize("host", ["127.0.0.1", str(IPv4Address(0))])
async def test_who_listens_is_told_apart(host: str) -> None:
    ours = appservice(free_port(), host=host)
    async with aiohttp.ClientSession() as http:
        assert await who_listens(http, ours) is Holder.NOBODY
        async with StandIn(ours):
            assert await who_listens(http, ours) is Holder.SERVICE
            other = appservice(ours.listen.port, "another", host)
            assert await who_listens(http, other) is Holder.STALE_SERVICE


@pytest.mark.parametrize(("status", "text"), [(200, "Welcome"), (200, '{"a": 1}'), (404, "{}")])
async def test_a_stranger_is_no_service(status: int, text: str) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page)
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as http:
        assert server.port is not None
        assert await who_listens(http, appservice(server.port)) is Holder.STRANGER


async def test_a_port_that_cannot_be_used_is_told() -> None:
    port = free_port()
    async with StandIn(appservice(port)):
        with pytest.raises(PortError, match=f"cannot listen on 127.0.0.1 port {port}"):
            async with StandIn(appservice(port)):
                pytest.fail("two listeners on one port")
