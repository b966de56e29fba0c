"""Everything that is refused, with the status and the code that each revision asks for."""

import asyncio
import io
import json
from typing import Any

import pytest

from lycatra_appservice.mcp.body import Bodies
from tests.support.mcp_served import MODERN, Served, request, served
from tests.support.mcp_tools import Tools

LIST = request("tools/list")
TOO_MANY = {"jsonrpc": "2.0", "method": "ping"}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return request("tools/list", {"deep": value})


async def refused(response: Any, status: int, code: int | None = None) -> dict[str, Any]:
    assert response.status == status, await response.text()
    error: dict[str, Any] = (await response.json())["error"]
    assert code is None or error["code"] == code
    return error


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", -32700),
        ("[" * 100_000, -32700),
        ("1" * 5000, -32700),
        ("[]", -32600),
        ('"tools/list"', -32600),
        ("null", -32600),
        ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        ('{"id":1,"method":"ping"}', -32600),
        ('{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        ('{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        ('{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600),
    ],
)
async def test_what_is_no_single_request_is_a_bad_request(
    mcp: Served, body: str, code: int
) -> None:
    await refused(await mcp.post(body), 400, code)


async def test_a_body_nested_deeper_than_sixty_four_levels_is_a_bad_request(mcp: Served) -> None:
    await refused(await mcp.post(nested(70)), 400, -32600)


async def test_a_body_nested_as_deep_as_real_ones_is_read(mcp: Served) -> None:
    assert (await mcp.post(nested(40))).status == 200


async def test_a_body_of_more_than_a_mebibyte_is_too_large(mcp: Served) -> None:
    body = io.BytesIO(json.dumps(request("tools/list", {"x": "y" * 1024 * 1024})).encode())
    response = await mcp.session.post(mcp.url, data=body, headers=mcp.headers)
    await refused(response, 413)


async def test_a_body_whose_size_nobody_told_is_bounded_too(mcp: Served) -> None:
    async def pieces() -> Any:
        for _ in range(20):
            yield b"x" * 100_000

    response = await mcp.session.post(mcp.url, data=pieces(), headers=mcp.headers)
    await refused(response, 413)


async def test_a_body_that_comes_too_slowly_is_given_up(tools: Tools) -> None:
    async with served(tools.server(), bodies=Bodies(read_seconds=0.05)) as mcp:
        held = asyncio.Event()

        async def pieces() -> Any:
            yield b"{"
            await held.wait()

        response = await mcp.session.post(mcp.url, data=pieces(), headers=mcp.headers)
        await refused(response, 408)
        held.set()


async def test_another_content_type_is_a_bad_request(mcp: Served) -> None:
    response = await mcp.session.post(mcp.url, data="{}", headers={"Content-Type": "text/plain"})
    await refused(response, 400)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "text/html"])
async def test_who_does_not_take_both_forms_of_an_answer_is_refused(
    mcp: Served, accept: str
) -> None:
    response = await mcp.session.post(mcp.url, json=LIST, headers={"Accept": accept})
    await refused(response, 406)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "a@localhost"])
async def test_a_foreign_host_is_misdirected(mcp: Served, host: str) -> None:
    response = await mcp.session.post(mcp.url, json=LIST, headers={"Host": host})
    await refused(response, 421)


@pytest.mark.parametrize("host", ["localhost:99", "[::1]:8080", "127.0.0.1", "192.168.7.7:8080"])
async def test_this_machine_and_addresses_in_digits_are_served(mcp: Served, host: str) -> None:
    response = await mcp.session.post(mcp.url, json=LIST, headers={"Host": host})
    assert response.status == 200


async def test_the_configured_host_is_served_with_any_port(tools: Tools) -> None:
    async with served(tools.server(), hosts=["bot.example.org"]) as mcp:
        for host in ("bot.example.org", "BOT.example.org:443"):
            response = await mcp.session.post(mcp.url, json=LIST, headers={"Host": host})
            assert response.status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil"])
async def test_a_foreign_origin_is_forbidden(mcp: Served, origin: str) -> None:
    await refused(await mcp.post(LIST, Origin=origin), 403)


async def test_an_origin_of_this_machine_is_let_in(mcp: Served) -> None:
    assert (await mcp.post(LIST, Origin="http://localhost:6274")).status == 200


@pytest.mark.parametrize("query", ["access_token=x", "token=x"])
async def test_a_token_in_the_address_is_refused_whatever_it_is(mcp: Served, query: str) -> None:
    response = await mcp.session.post(f"{mcp.url}?{query}", json=LIST)
    await refused(response, 400)


async def test_who_is_nobody_gets_the_challenge(mcp: Served) -> None:
    response = await mcp.post(LIST, Authorization="Bearer revoked")
    await refused(response, 401)
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_an_unknown_version_names_those_that_are_served(mcp: Served) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "1999-01-01",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = request("tools/list", {"_meta": meta})
    response = await mcp.post(message, MCP_Protocol_Version="1999-01-01", Mcp_Method="tools/list")
    error = await refused(response, 400, -32022)
    assert error["data"] == {"supported": [MODERN], "requested": "1999-01-01"}


async def test_headers_that_contradict_the_body_are_a_mismatch(mcp: Served) -> None:
    await refused(await mcp.modern("tools/list", Mcp_Method="tools/call"), 400, -32020)
    wrong = await mcp.modern("tools/call", {"name": "echo", "arguments": {}}, Mcp_Name="wait")
    await refused(wrong, 400, -32020)


async def test_an_envelope_without_its_header_is_a_mismatch(mcp: Served) -> None:
    response = await mcp.modern("tools/list", MCP_Protocol_Version="")
    await refused(response, 400, -32020)


async def test_a_routing_header_that_comes_twice_is_a_mismatch(mcp: Served) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = [
        ("MCP-Protocol-Version", MODERN),
        ("Mcp-Method", "tools/list"),
        ("Mcp-Method", "tools/list"),
    ]
    message = request("tools/list", {"_meta": meta})
    response = await mcp.session.post(mcp.url, json=message, headers=headers)
    await refused(response, 400, -32020)


async def test_a_header_of_an_argument_must_say_what_the_argument_says(mcp: Served) -> None:
    arguments = {"name": "routed", "arguments": {"region": "eu"}}
    await refused(await mcp.modern("tools/call", arguments, Mcp_Param_Region="us"), 400, -32020)
    right = await mcp.modern("tools/call", arguments, Mcp_Param_Region="eu")
    assert right.status == 200


async def test_an_envelope_that_lacks_a_key_is_told_which(mcp: Served) -> None:
    message = request("tools/list", {"_meta": {}})
    response = await mcp.post(message, MCP_Protocol_Version=MODERN, Mcp_Method="tools/list")
    error = await refused(response, 400, -32602)
    assert "clientCapabilities" in error["message"]


async def test_the_new_era_has_statuses_for_what_is_unknown(mcp: Served) -> None:
    await refused(await mcp.modern("tools/dance"), 404, -32601)
    await refused(await mcp.modern("tools/call", {"name": "dance"}), 400, -32602)
    await refused(await mcp.modern("resources/read", {"uri": "test://two"}), 400, -32602)
    await refused(await mcp.modern("tools/call", {"name": "fail"}), 400, -32021)


async def test_a_bug_tells_nothing_of_itself(mcp: Served) -> None:
    response = await mcp.modern("tools/call", {"name": "crash"})
    assert response.status == 200
    text = await response.text()
    assert "-32603" in text
    assert "swordfish" not in text


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_new_era_has_post_only(mcp: Served, method: str) -> None:
    headers = {"MCP-Protocol-Version": MODERN, "Accept": "text/event-stream"}
    response = await mcp.session.request(method, mcp.url, headers=headers)
    await refused(response, 405)
    assert response.headers["Allow"] == "POST"


async def test_other_methods_of_http_are_not_allowed(mcp: Served) -> None:
    await refused(await mcp.session.put(mcp.url), 405)


async def test_a_session_method_with_a_protocol_header_needs_its_session(mcp: Served) -> None:
    response = await mcp.post(LIST, MCP_Protocol_Version="2025-11-25")
    await refused(response, 400, -32600)


async def test_a_get_needs_a_session_and_to_take_events(mcp: Served) -> None:
    events = {"Accept": "text/event-stream"}
    await refused(await mcp.session.get(mcp.url, headers=events), 400)
    session = await mcp.initialised()
    unknown = await mcp.session.get(mcp.url, headers={**events, "Mcp-Session-Id": session[:-3]})
    await refused(unknown, 404)
    html = {"Accept": "text/html", "Mcp-Session-Id": session}
    await refused(await mcp.session.get(mcp.url, headers=html), 406)


async def test_notifications_are_taken_without_a_word(mcp: Served) -> None:
    told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    response = await mcp.post(told, MCP_Protocol_Version=MODERN)
    assert (response.status, await response.text()) == (202, "")
    await refused(await mcp.post(told, MCP_Protocol_Version="1999-01-01"), 400, -32022)
    await refused(await mcp.post({"jsonrpc": "2.0"}, MCP_Protocol_Version=MODERN), 400, -32600)
