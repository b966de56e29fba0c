import logging

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from lycatra_appservice.ops.access_log import AccessLog


async def answer(request: web.Request) -> web.Response:
    return web.Response(status=int(request.query.get("status", "200")))


async def logged(
    aiohttp_server: AiohttpServer, caplog: pytest.LogCaptureFixture, address: str
) -> logging.LogRecord:
    caplog.set_level(logging.DEBUG, logger="aiohttp.access")
    app = web.Application()
    app.router.add_get("/healthz", answer)
    app.router.add_get("/_matrix/app/v1/users/{user_id}", answer)
    server = await aiohttp_server(app, access_log_class=AccessLog)
    async with aiohttp.ClientSession() as session, session.get(server.make_url(address)):
        pass
    await server.close()
    [record] = [record for record in caplog.records if record.message == "http_request"]
    return record


@pytest.mark.parametrize(
    ("address", "level"),
    [
        ("/healthz", logging.DEBUG),
        ("/healthz?status=503", logging.DEBUG),
        ("/_matrix/app/v1/users/@a:b", logging.DEBUG),
        ("/_matrix/app/v1/users/@a:b?status=403", logging.INFO),
        ("/_matrix/app/v1/users/@a:b?status=503", logging.WARNING),
        ("/nowhere", logging.INFO),
    ],
)
async def test_what_works_is_quiet_and_what_fails_is_not(
    aiohttp_server: AiohttpServer, caplog: pytest.LogCaptureFixture, address: str, level: int
) -> None:
    assert (await logged(aiohttp_server, caplog, address)).levelno == level


async def test_neither_a_token_nor_a_name_of_the_address_is_logged(
    aiohttp_server: AiohttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    record = await logged(
        aiohttp_server, caplog, "/_matrix/app/v1/users/@person:example.org?access_token=canary"
    )
    assert vars(record)["route"] == "/_matrix/app/v1/users/{user_id}"
    assert "canary" not in str(vars(record))
    assert "person" not in str(vars(record))
