"""Checks against real peers: up, wrong, slow and gone."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from lycatra_appservice.errors import InvalidArgumentsError
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.services._settings import ServicesSettings
from tests.support.toolbench import bench

GetStatus: TypeAlias = Callable[..., Awaitable[ToolResult]]


@pytest.fixture
async def get_status(tmp_path: Path) -> AsyncIterator[GetStatus]:
    """Call the tool with these checks."""
    async with AsyncExitStack() as stack:

        async def call(*checks: dict[str, Any], **args: Any) -> ToolResult:
            settings = ServicesSettings.model_validate({"checks": checks})
            on = await stack.enter_async_context(
                bench(registry=discover(), settings={"services": settings}, folder=tmp_path)
            )
            async with asyncio.timeout(20):
                return await on.toolbox().call("get_service_status", args)

        yield call


@pytest.fixture
async def peer() -> AsyncIterator[TestServer]:
    """A web server with a good, a broken and a hanging page."""

    async def good(request: web.Request) -> web.Response:
        return web.Response(text="status: fine")

    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=503)

    async def hang(request: web.Request) -> web.Response:
        return await asyncio.Future()

    app = web.Application()
    app.router.add_get("/good", good)
    app.router.add_get("/broken", broken)
    app.router.add_get("/hang", hang)
    server = TestServer(app)
    async with server:
        yield server


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that surely refuses: bound, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def http(peer: TestServer, path: str, **more: Any) -> dict[str, Any]:
    return {"name": "shop", "kind": "http", "url": str(peer.make_url(path)), **more}


def python(code: str, *arguments: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "job",
        "kind": "command",
        "argv": [sys.executable, "-c", code, *arguments],
        **more,
    }


def finding(result: ToolResult) -> tuple[bool, str]:
    [found] = result.data["services"]
    assert isinstance(found["took_ms"], int)
    return found["ok"], found["detail"]


@pytest.mark.parametrize(
    ("path", "more", "expected"),
    [
        ("/good", {}, (True, "HTTP 200")),
        ("/good", {"expect_text": "fine"}, (True, "HTTP 200")),
        ("/good", {"expect_text": "bad"}, (False, "HTTP 200, but the expected text is missing")),
        ("/good", {"expect_status": 204}, (False, "HTTP 200, expected 204")),
        ("/broken", {}, (False, "HTTP 503")),
        ("/broken", {"expect_status": 503}, (True, "HTTP 503")),
        ("/hang", {"timeout_seconds": 0.05}, (False, "no answer within 0.05 s")),
    ],
)
async def test_a_web_address_is_checked(
    get_status: GetStatus,
    peer: TestServer,
    path: str,
    more: dict[str, Any],
    expected: tuple[bool, str],
) -> None:
    assert finding(await get_status(http(peer, path, **more))) == expected


async def test_a_service_does_not_lead_to_another_place_of_this_machine(
    get_status: GetStatus, peer: TestServer
) -> None:
    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound(str(peer.make_url("/good")))

    app = web.Application()
    app.router.add_get("/", away)
    leading = TestServer(app)
    async with leading:
        assert finding(await get_status(http(leading, "/"))) == (
            False,
            "it redirects to where tools may not go: it is not on the public internet",
        )


async def test_a_port_is_checked(get_status: GetStatus, peer: TestServer, dead_port: int) -> None:
    alive = {"name": "alive", "kind": "tcp", "address": f"127.0.0.1:{peer.port}"}
    dead = {"name": "dead", "kind": "tcp", "address": f"127.0.0.1:{dead_port}"}
    assert finding(await get_status(alive)) == (True, "accepts connections")
    assert finding(await get_status(dead)) == (False, "connection refused")


async def test_a_dead_address_is_told_without_the_address(
    get_status: GetStatus, dead_port: int
) -> None:
    url = f"http://user:secret@127.0.0.1:{dead_port}/?token=secret"
    result = await get_status({"name": "shop", "kind": "http", "url": url})
    assert finding(result) == (False, "connection refused")
    assert "secret" not in str(result)


@pytest.mark.parametrize(
    ("code", "more", "expected"),
    [
        ("print('all good')", {}, (True, "exit code 0")),
        ("exit(3)", {}, (False, "exit code 3")),
        ("exit(3)", {"expect_status": 3}, (True, "exit code 3")),
        ("print('all good')", {"expect_text": "good"}, (True, "exit code 0")),
        (
            "print('bad')",
            {"expect_text": "good"},
            (False, "exit code 0, but the expected text is missing"),
        ),
        ("print('a\\nb')", {"show_output": True}, (True, "exit code 0: a")),
        ("exit('why')", {"show_output": True}, (False, "exit code 1: why")),
        ("pass", {"show_output": True}, (True, "exit code 0: no output")),
        ("print('x' * 10_000_000)", {}, (True, "exit code 0")),
        ("input()", {}, (False, "exit code 1")),  # nobody types into it
    ],
)
async def test_a_command_is_checked(
    get_status: GetStatus, code: str, more: dict[str, Any], expected: tuple[bool, str]
) -> None:
    check = python(code, timeout_seconds=15, **more)
    assert finding(await get_status(check)) == expected


async def test_a_command_that_hangs_is_given_up(get_status: GetStatus) -> None:
    check = python("import time; time.sleep(600)", timeout_seconds=0.05)
    assert finding(await get_status(check)) == (False, "no answer within 0.05 s")


async def test_a_command_that_is_given_up_is_ended_with_all_its_children(
    get_status: GetStatus,
) -> None:
    child_runs, child_is_gone = asyncio.Event(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        child_runs.set()
        await reader.read()  # ends when the child does
        child_is_gone.set()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    child = f"import socket; socket.create_connection(('127.0.0.1', {port})).recv(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    async with server, asyncio.timeout(20):
        call = asyncio.ensure_future(get_status(python(parent, timeout_seconds=20)))
        await child_runs.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await child_is_gone.wait()


async def test_a_command_line_is_never_shown(
    get_status: GetStatus, caplog: pytest.LogCaptureFixture
) -> None:
    missing = {"name": "gone", "kind": "command", "argv": ["/no/such-secret", "--key=secret"]}
    nul = {"name": "odd", "kind": "command", "argv": ["secret\0"]}
    echoing = python("import sys; exit(sys.argv[1])", "secret")

    result = await get_status(missing, nul, echoing)

    assert [found["detail"] for found in result.data["services"]] == [
        "its command cannot be started",
        "its command cannot be started",
        "exit code 1",
    ]
    assert "secret" not in str(result)
    assert not any("secret" in str(vars(record)) for record in caplog.records)


async def test_a_command_gets_neither_a_shell_nor_our_secrets(
    get_status: GetStatus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYCATRA_MODEL__API_KEY", "secret")
    code = "import os, sys; print(sys.argv[1], os.environ.get('LYCATRA_MODEL__API_KEY'))"

    result = await get_status(python(code, "$(touch ran); *", show_output=True))

    assert finding(result) == (True, "exit code 0: $(touch ran); * None")
    assert not (tmp_path / "ran").exists()


async def test_one_slow_service_does_not_hold_up_the_others(
    get_status: GetStatus, peer: TestServer
) -> None:
    arrived = 0
    everybody = asyncio.Event()

    async def meet(request: web.Request) -> web.Response:
        nonlocal arrived
        arrived += 1
        if arrived == 5:
            everybody.set()
        await everybody.wait()  # answers only once all five are being asked at the same time
        return web.Response()

    app = web.Application()
    app.router.add_get("/meet", meet)
    together = TestServer(app)
    async with together:
        checks = [
            {**http(together, "/meet", timeout_seconds=15), "name": f"shop {number}"}
            for number in range(5)
        ]
        result = await get_status(*checks)

    assert [found["ok"] for found in result.data["services"]] == [True] * 5


async def test_everything_is_shown_lycatra_included(
    get_status: GetStatus, peer: TestServer
) -> None:
    result = await get_status(http(peer, "/broken"))

    assert result.data["lycatra"] == [
        {"name": "lycatra", "ok": True, "detail": "version 0.1.0", "since": None},
        {"name": "database", "ok": True, "detail": "SQLite", "since": "2026-11-22T11:00:00+00:00"},
    ]
    lines = result.markdown.splitlines()
    assert lines[0] == "**1 of 3 down** (times in UTC)"
    assert lines[2] == "|  | Service | Detail | Time |"
    assert lines[4].startswith("| ❌ down | shop | HTTP 503 | ")
    assert lines[5:] == [
        "| ✅ up | lycatra | version 0.1.0 |  |",
        "| ✅ up | lycatra: database | SQLite | since 2026-11-22 11:00 |",
    ]
    assert result.note is None


async def test_without_checks_it_tells_of_itself_and_how_to_add_some(
    get_status: GetStatus,
) -> None:
    result = await get_status()
    assert result.data["services"] == []
    assert result.markdown.startswith("**All 2 up**")
    assert result.note == "no services are configured under `tools.services.checks` yet"


@pytest.mark.parametrize(
    ("service", "services", "parts"),
    [("SHOP", ["shop"], 0), ("lycatra", [], 2), ("", ["shop"], 2)],
)
async def test_one_service_can_be_asked_for(
    get_status: GetStatus, peer: TestServer, service: str, services: list[str], parts: int
) -> None:
    result = await get_status(http(peer, "/good"), service=service)
    assert [found["name"] for found in result.data["services"]] == services
    assert len(result.data["lycatra"]) == parts


@pytest.mark.parametrize(
    ("service", "hint"),
    [("shpo", "Did you mean `shop`?"), ("kettle", "There are `shop`, `lycatra`.")],
)
async def test_an_unknown_service_is_answered_with_those_there_are(
    get_status: GetStatus, peer: TestServer, service: str, hint: str
) -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        await get_status(http(peer, "/good"), service=service)
    assert caught.value.user_message == (f"I do not watch a service called `{service}`. {hint}")


@pytest.mark.parametrize(
    "check",
    [
        {"name": "a", "kind": "ping", "address": "x:1"},
        {"name": "a", "kind": "tcp", "address": "no-port"},
        {"name": "a", "kind": "tcp", "address": "host:0"},
        {"name": "a", "kind": "tcp", "address": "host:65536"},
        {"name": "a", "kind": "http", "url": "ftp://x"},
        {"name": "a", "kind": "command", "argv": []},
        {"name": "a", "kind": "command", "argv": "rm -rf /"},
        {"name": "lycatra", "kind": "tcp", "address": "host:1"},
        {"name": "a", "kind": "tcp", "address": "host:1", "timeout_seconds": 0},
        {"name": "a", "kind": "tcp", "address": "host:1", "adress": "x"},
    ],
)
def test_settings_with_a_mistake_are_refused(check: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServicesSettings.model_validate({"checks": [check]})


def test_two_checks_of_one_name_are_refused() -> None:
    check = {"name": "a", "kind": "tcp", "address": "host:1"}
    with pytest.raises(ValidationError, match="two checks are called 'a'"):
        ServicesSettings.model_validate({"checks": [check, {**check, "name": "A"}]})


def test_an_ipv6_address_is_taken_apart_rightly() -> None:
    check = {"name": "a", "kind": "tcp", "address": "[::1]:5432"}
    [checked] = ServicesSettings.model_validate({"checks": [check]}).checks
    assert checked.kind == "tcp"
    assert checked.endpoint == ("::1", 5432)
