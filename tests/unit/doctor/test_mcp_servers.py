"""What the doctor and `lycatra check` say of MCP servers of others."""

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.cli.server_concerns import concerns_about_servers
from lycatra_appservice.doctor.findings import Level
from lycatra_appservice.doctor.mcp_servers import check_mcp_servers
from lycatra_appservice.settings_mcp_servers import McpServer
from tests.support.remote_peer import as_program


@pytest.mark.slow
async def test_a_server_that_answers_is_well(tmp_path: Path) -> None:
    [finding] = await check_mcp_servers({"peer": as_program(tmp_path, include=["add_*"])})

    assert finding.level is Level.OK
    assert finding.what.endswith("1 of them for us")


async def test_a_program_that_is_not_there_is_told_by_its_key(tmp_path: Path) -> None:
    nothing = McpServer.model_validate({"command": str(tmp_path / "nothing")})

    [finding] = await check_mcp_servers({"peer": nothing})

    assert finding.level is Level.WARNING
    assert "No such file" in finding.what
    assert finding.fix is not None
    assert finding.fix.startswith("mcp_servers.peer.command")


@pytest.mark.parametrize("status", [401, 403])
async def test_who_is_not_let_in_reads_so_without_the_header(status: int) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_route("*", "/mcp", refuse)
    async with TestServer(app, host="127.0.0.1") as server:
        settings = {
            "url": str(server.make_url("/mcp")),
            "headers": {"Authorization": "Bearer canary"},
        }
        [finding] = await check_mcp_servers({"peer": McpServer.model_validate(settings)})

    assert f"HTTP {status}" in finding.what
    assert "canary" not in str(finding)


def test_what_looks_like_a_mistake_is_told_without_asking_anybody() -> None:
    servers = {
        "careless": {"command": "no-such-program-of-anybody", "approval": "none"},
        "open": {"url": "http://mcp.example.org/mcp", "headers": {"Authorization": "Bearer x"}},
        "fine": {"url": "https://mcp.example.org/mcp", "headers": {"Authorization": "Bearer x"}},
    }

    found = [
        what
        for what, _ in concerns_about_servers(
            {name: McpServer.model_validate(each) for name, each in servers.items()}
        )
    ]

    assert [each.split(" ")[0].rstrip(":") for each in found] == [
        "mcp_servers.careless.approval",
        "mcp_servers.careless.command",
        "mcp_servers.open.url",
    ]
    assert "Bearer" not in str(found)
