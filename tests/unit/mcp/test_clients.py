"""The official client, in both eras, against our transport."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
import pytest
from mcp.client import Client
from mcp.server.subscriptions import ResourceUpdated, ToolsListChanged
from mcp.shared.exceptions import MCPError

from tests.support.mcp_served import MODERN, Served, request, served
from tests.support.mcp_tools import Tools

ERAS = ["auto", "legacy"]


@asynccontextmanager
async def client(mcp: Served, era: Any, **options: Any) -> AsyncIterator[Client]:
    async with Client(mcp.url, mode=era, **options) as connected:
        yield connected


@pytest.mark.parametrize("era", ERAS)
async def test_it_lists_calls_reads_and_completes(mcp: Served, era: str) -> None:
    async with client(mcp, era) as connected:
        assert "echo" in [tool.name for tool in (await connected.list_tools()).tools]
        result = await connected.call_tool("echo", {"text": "höher 🚀"})
        assert _text(result) == "höher 🚀"
        read = await connected.read_resource("test://one")
        assert isinstance(read.contents[0], types.TextResourceContents)
        assert read.contents[0].text == "one"
        assert (await connected.get_prompt("greet")).messages[0].role == "user"
        found = await connected.complete(
            types.PromptReference(type="ref/prompt", name="greet"), {"name": "who", "value": "p"}
        )
        assert found.completion.values == ["paris"]


@pytest.mark.parametrize("era", ERAS)
async def test_progress_comes_in_its_order(mcp: Served, era: str) -> None:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with client(mcp, era) as connected:
        await connected.call_tool("told", {}, progress_callback=hear)
    assert heard == [(1.0, "step 1"), (2.0, "step 2"), (3.0, "step 3")]


async def test_a_session_can_be_asked_and_its_answer_is_heard(mcp: Served) -> None:
    async def answer(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"name": "anna"})

    async with client(mcp, "legacy", elicitation_callback=answer) as connected:
        assert _text(await connected.call_tool("ask", {})) == "accept: anna"


async def test_the_new_era_cannot_be_asked_back(mcp: Served) -> None:
    async with client(mcp, "auto") as connected:
        with pytest.raises(MCPError, match="no back-channel"):
            await connected.call_tool("ask", {})


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_is_given_up_ends_in_the_tool(
    mcp: Served, tools: Tools, era: str
) -> None:
    async with client(mcp, era) as connected:
        calling = asyncio.ensure_future(connected.call_tool("wait", {}))
        await tools.begun.wait()
        calling.cancel()
        async with asyncio.timeout(5):
            await tools.cancelled.wait()
            await mcp.here.idle.wait()
        assert _text(await connected.call_tool("echo", {"text": "on"})) == "on"


async def test_a_client_that_goes_away_ends_its_call(mcp: Served, tools: Tools) -> None:
    waiting = asyncio.ensure_future(mcp.modern("tools/call", {"name": "wait"}))
    await tools.begun.wait()
    waiting.cancel()
    async with asyncio.timeout(5):
        await tools.cancelled.wait()
        await mcp.here.idle.wait()


async def test_a_cancelled_call_of_a_session_is_told_so(mcp: Served, tools: Tools) -> None:
    session = await mcp.initialised()
    call = request("tools/call", {"name": "wait"}, "seven")
    waiting = asyncio.ensure_future(mcp.post(call, Mcp_Session_Id=session))
    await tools.begun.wait()
    params = {"requestId": "seven"}
    told = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
    assert (await mcp.post(told, Mcp_Session_Id=session)).status == 202
    response = await waiting
    assert (response.status, (await response.json())["error"]["code"]) == (200, -32800)
    assert tools.cancelled.is_set()


async def test_a_token_that_ends_cuts_its_calls_off(mcp: Served, tools: Tools) -> None:
    waiting = asyncio.ensure_future(mcp.modern("tools/call", {"name": "wait"}))
    await tools.begun.wait()
    mcp.here.cut_token("anna", -32600, "This token was revoked.")
    error = (await (await waiting).json())["error"]
    assert error["message"] == "This token was revoked."
    assert tools.cancelled.is_set()


async def test_a_subscription_acknowledges_and_tells_only_what_was_asked_for(
    mcp: Served,
) -> None:
    wanted = {"notifications": {"resourceSubscriptions": ["test://one"]}}
    response = await mcp.modern("subscriptions/listen", wanted)
    assert response.content_type == "text/event-stream"
    assert "acknowledged" in await _event(response)
    await mcp.hub.publish(ToolsListChanged())
    await mcp.hub.publish(ResourceUpdated(uri="test://two"))
    await mcp.hub.publish(ResourceUpdated(uri="test://one"))
    told = await _event(response)
    assert "resources/updated" in told
    assert "test://one" in told
    response.close()


async def test_a_session_hears_of_changes_by_its_get_stream(mcp: Served) -> None:
    session = await mcp.initialised()
    headers = {"Accept": "text/event-stream", "Mcp-Session-Id": session}
    response = await mcp.session.get(mcp.url, headers=headers)
    assert (await response.content.readline()).startswith(b":")
    await response.content.readline()
    await mcp.hub.publish(ResourceUpdated(uri="test://not-watched"))
    await mcp.hub.publish(ToolsListChanged())
    assert "tools/list_changed" in await _event(response)
    await mcp.session.delete(mcp.url, headers={"Mcp-Session-Id": session})
    async with asyncio.timeout(5):
        assert (await response.content.read()).strip() == b""


async def test_a_call_under_way_is_waited_for_when_the_service_stops(
    mcp: Served, tools: Tools
) -> None:
    waiting = asyncio.ensure_future(mcp.modern("tools/call", {"name": "wait"}))
    await tools.begun.wait()
    assert not mcp.here.idle.is_set()
    tools.go.set()
    assert (await waiting).status == 200
    assert mcp.here.idle.is_set()


async def test_a_call_that_says_nothing_for_long_is_kept_alive_and_still_answers(
    tools: Tools,
) -> None:
    async with served(tools.server(), ping_seconds=0.05) as mcp:
        calling = asyncio.ensure_future(mcp.modern("tools/call", {"name": "wait"}))
        await tools.begun.wait()
        response = await calling  # its head comes with the first sign of life
        assert response.content_type == "text/event-stream"
        assert await response.content.readline() == b": ping\n"
        tools.go.set()
        assert "gone" in await _event(response)


async def test_requests_of_both_eras_are_told_apart_by_one_header(mcp: Served) -> None:
    modern = await (await mcp.modern("tools/list")).json()
    assert modern["result"]["resultType"] == "complete"
    alone = await (await mcp.post(request("tools/list"))).json()
    assert "resultType" not in alone["result"]
    discovered = await (await mcp.modern("server/discover")).json()
    assert MODERN in discovered["result"]["supportedVersions"]


def _text(result: Any) -> str:
    return str(result.content[0].text)


async def _event(response: Any) -> str:
    async with asyncio.timeout(5):
        while True:
            line: str = (await response.content.readline()).decode()
            assert line, "the stream has ended"
            if line.startswith("data: "):
                return line
