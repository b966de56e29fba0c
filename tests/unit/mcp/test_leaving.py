"""Clients that go away: nobody's mistake, so nothing for the log."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import pytest

from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.hub import LocalHub
from lycatra_appservice.mcp.sessions import Session
from tests.support.mcp_served import Served, request, served
from tests.support.mcp_tools import Tools

Leave: TypeAlias = Callable[[Served, Tools], Awaitable[None]]


async def _leave_a_call(mcp: Served, tools: Tools) -> None:
    call = asyncio.ensure_future(mcp.modern("tools/call", {"name": "wait"}))
    await tools.begun.wait()
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    await tools.cancelled.wait()


async def _leave_a_stream(mcp: Served, tools: Tools) -> None:
    in_session = {"Mcp-Session-Id": await mcp.initialised()}
    listening = {**in_session, "Accept": "text/event-stream"}
    async with mcp.session.get(mcp.url, headers=listening) as response:
        await response.content.readline()
    async with mcp.session.delete(mcp.url, headers=in_session) as ended:
        assert ended.status == 200


@pytest.mark.parametrize("leave", [_leave_a_call, _leave_a_stream])
async def test_a_client_that_goes_away_is_no_error(
    leave: Leave, tools: Tools, caplog: pytest.LogCaptureFixture
) -> None:
    here = Here()
    hub = LocalHub(here)
    async with served(tools.server(hub), here=here, hub=hub) as mcp:
        await leave(mcp, tools)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


class _LostHub(LocalHub):
    async def is_revoked(self, session: Session) -> bool:
        raise ConnectionRefusedError("the database is away")


async def test_a_database_that_is_away_is_an_error(
    tools: Tools, caplog: pytest.LogCaptureFixture
) -> None:
    here = Here()
    async with served(tools.server(), here=here, hub=_LostHub(here)) as mcp:
        session_id = await mcp.initialised()
        response = await mcp.post(request("tools/list"), Mcp_Session_Id=session_id)
    assert response.status == 500
    assert "the database is away" in caplog.text
