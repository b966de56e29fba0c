"""Sessions of the handshake revisions: signed, whoever's they are, on whatever replica."""

import time

import pytest

from lycatra_appservice.mcp.hub import LocalHub
from lycatra_appservice.mcp.sessions import LIFETIME_SECONDS, SessionIds
from tests.support.mcp_served import KEY, Served, request, served
from tests.support.mcp_tools import Tools

LIST = request("tools/list")
OTHER = b"another key of thirty-two bytes or more"


async def test_a_session_is_served_until_its_client_ends_it(mcp: Served) -> None:
    session = await mcp.initialised()
    assert (await mcp.post(LIST, Mcp_Session_Id=session)).status == 200
    ended = await mcp.session.delete(mcp.url, headers={"Mcp-Session-Id": session})
    assert ended.status == 200
    assert (await mcp.post(LIST, Mcp_Session_Id=session)).status == 404


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_every_handshake_revision_is_agreed_on(mcp: Served, version: str) -> None:
    asked = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "a"}}
    asked["clientInfo"] = {"name": "a", "version": "1"}
    response = await mcp.post(request("initialize", asked))
    assert (await response.json())["result"]["protocolVersion"] == version


async def test_a_tampered_id_is_unknown(mcp: Served) -> None:
    session = await mcp.initialised()
    for position in (0, len(session) // 2, len(session) - 2):
        other = "A" if session[position] != "A" else "B"
        wrong = session[:position] + other + session[position + 1 :]
        assert (await mcp.post(LIST, Mcp_Session_Id=wrong)).status == 404
    for wrong in ("", "x", "é" * 9, "a" * 5000):
        status = (await mcp.post(LIST, Mcp_Session_Id=wrong or " ")).status
        assert status in (400, 404)


async def test_a_session_of_somebody_else_is_unknown(mcp: Served) -> None:
    session = await mcp.initialised(Authorization="Bearer berta")
    theirs = await mcp.post(LIST, Mcp_Session_Id=session, Authorization="Bearer berta")
    assert theirs.status == 200
    mine = await mcp.post(LIST, Mcp_Session_Id=session, Authorization="Bearer anna")
    assert mine.status == 404


async def test_a_session_made_on_one_replica_is_served_by_another(
    mcp: Served, tools: Tools
) -> None:
    session = await mcp.initialised()
    async with served(tools.server(), keys=[OTHER, KEY]) as replica:
        assert (await replica.post(LIST, Mcp_Session_Id=session)).status == 200
    async with served(tools.server(), keys=[OTHER]) as stranger:
        assert (await stranger.post(LIST, Mcp_Session_Id=session)).status == 404


def test_an_id_ends_with_its_day() -> None:
    now = time.time()
    ids = SessionIds([KEY], lambda: now)
    text, _ = ids.mint("2025-11-25", {"name": "a"}, {}, "anna")
    later = SessionIds([KEY], lambda: now + LIFETIME_SECONDS + 1)
    assert ids.read(text, "anna") is not None
    assert later.read(text, "anna") is None


def test_a_client_with_pictures_in_its_name_still_gets_a_short_id() -> None:
    ids = SessionIds([KEY], time.time)
    client = {"name": "n" * 9000, "version": "1", "icons": [{"src": "data:" + "x" * 9000}]}
    capabilities = {"experimental": {"x": "y" * 9000}, "elicitation": {"form": {}}}
    text, session = ids.mint("2025-11-25", client, capabilities, "anna")
    assert len(text) < 400
    assert session.capabilities == {"elicitation": {"form": {}}}


async def test_a_plain_request_without_any_session_is_answered_alone(mcp: Served) -> None:
    plain = {"Content-Type": "application/json"}
    called = request("tools/call", {"name": "echo", "arguments": {"text": "hi"}})
    response = await mcp.session.post(mcp.url, json=called, headers=plain)
    assert (await response.json())["result"]["content"][0]["text"] == "hi"
    for method in ("resources/list", "prompts/list", "ping"):
        assert (await mcp.session.post(mcp.url, json=request(method))).status == 200
    refused = await mcp.session.post(mcp.url, json=request("resources/subscribe", {"uri": "a:b"}))
    assert refused.status == 400


async def test_the_process_keeps_nothing_of_a_session(mcp: Served) -> None:
    for _ in range(20):
        session = await mcp.initialised()
        await mcp.post(LIST, Mcp_Session_Id=session)
    assert isinstance(mcp.hub, LocalHub)
    assert mcp.here.idle.is_set()
    assert not [
        name for name, value in vars(mcp.here).items() if isinstance(value, dict) and value
    ]
