"""`lycatra health`: the exit code that a container's health check reads."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.config_folder import WITHOUT_TOKENS, write_config
from tests.unit.cli.conftest import Lycatra, Outcome


async def ask(lycatra: Lycatra, folder: Path, listener: str, status: int = 200) -> Outcome:
    """Ask for the health of a service that answers with `status` on its configured listener."""

    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({}, status=status)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    async with TestServer(app, host="127.0.0.1") as server:
        address = listener.replace("PORT", str(server.port))
        write_config(folder, WITHOUT_TOKENS + f"appservice: {address}\n")
        return await asyncio.to_thread(lycatra, "health")


@pytest.mark.parametrize(
    "listener",
    [
        "{listen: {port: PORT}}",
        "{listen: {host: 0.0.0.0, port: PORT}}",
        "{listen: {port: 1}, ops: {port: PORT}}",
    ],
)
async def test_a_service_that_lives_is_zero(
    lycatra: Lycatra, folder: Path, listener: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    outcome = await ask(lycatra, folder, listener)
    assert (outcome.code, outcome.out) == (0, "ok\n")


async def test_a_service_that_says_no_is_one(lycatra: Lycatra, folder: Path) -> None:
    outcome = await ask(lycatra, folder, "{listen: {port: PORT}}", status=503)
    assert outcome.code == 1
    assert "answers 503" in outcome.err


def test_nobody_there_is_one(lycatra: Lycatra, folder: Path) -> None:
    write_config(folder, WITHOUT_TOKENS + "appservice: {listen: {port: 1}}\n")
    outcome = lycatra("health")
    assert outcome.code == 1
    assert "nothing healthy answers on 127.0.0.1, port 1" in outcome.err
