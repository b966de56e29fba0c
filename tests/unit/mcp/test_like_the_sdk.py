"""The SDK's own server as an oracle: the same request gets the same answer from both."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from aiohttp import ClientResponse, ClientSession

from tests.support.mcp_served import HEADERS, MODERN, Served, request, served
from tests.support.mcp_tools import Tools
from tests.support.waiting import until

META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
ECHO = {"name": "echo", "arguments": {"text": "hi"}}


def modern(method: str, params: dict[str, Any] | None = None, **headers: str) -> Any:
    """A request of the new era: its message and its headers."""
    told = {**(params or {}), "_meta": META}
    routed = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    name = told.get("name") or told.get("uri")
    if name is not None:
        routed["Mcp-Name"] = str(name)
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return request(method, told), {**routed, **given}


REQUESTS = {
    "discover": modern("server/discover"),
    "list of tools": modern("tools/list"),
    "list of resources": modern("resources/list"),
    "list of prompts": modern("prompts/list"),
    "call": modern("tools/call", ECHO),
    "call with progress": modern("tools/call", {"name": "told", "arguments": {}}),
    "unknown tool": modern("tools/call", {"name": "dance"}),
    "tool that fails": modern("tools/call", {"name": "fail"}),
    "tool that crashes": modern("tools/call", {"name": "crash"}),
    "tool that asks": modern("tools/call", {"name": "ask"}),
    "right header of an argument": modern(
        "tools/call", {"name": "routed", "arguments": {"region": "eu"}}, Mcp_Param_Region="eu"
    ),
    "wrong header of an argument": modern(
        "tools/call", {"name": "routed", "arguments": {"region": "eu"}}, Mcp_Param_Region="us"
    ),
    "read": modern("resources/read", {"uri": "test://one"}),
    "read of nothing": modern("resources/read", {"uri": "test://two"}),
    "prompt": modern("prompts/get", {"name": "greet"}),
    "no parameters": modern("tools/call"),
    "unknown method": modern("tools/dance"),
    "another method in the header": modern("tools/list", Mcp_Method="tools/call"),
    "another version in the header": modern("tools/list", MCP_Protocol_Version="2027-01-01"),
    "no envelope": (
        request("tools/list", {}),
        {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/list"},
    ),
    "no object": ([], {"MCP-Protocol-Version": MODERN}),
    "an id that is none": (
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"MCP-Protocol-Version": MODERN},
    ),
    "notification": (
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"MCP-Protocol-Version": MODERN},
    ),
}
# Where ours says the same in words of its own.
_WORDS_DIFFER = {"no object", "an id that is none", "another version in the header"}


@pytest.fixture
async def oracle() -> AsyncIterator[str]:
    """The SDK's own transport, on uvicorn."""
    config = uvicorn.Config(
        Tools().server().streamable_http_app(), host="127.0.0.1", port=0, log_level="critical"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def has_started() -> bool:
        return server.started

    await until(has_started, "the SDK's server")
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/mcp"
    server.should_exit = True
    await serving


@pytest.fixture
async def ours() -> AsyncIterator[Served]:
    async with served(Tools().server()) as running:
        yield running


async def test_every_request_of_the_new_era_is_answered_alike(oracle: str, ours: Served) -> None:
    differ: dict[str, Any] = {}
    async with ClientSession() as http:
        for name, (message, headers) in REQUESTS.items():
            found = [await _answer(http, url, message, headers) for url in (oracle, ours.url)]
            if name in _WORDS_DIFFER:
                found = [(status, kind, _code(body)) for status, kind, body in found]
            if found[0] != found[1]:
                differ[name] = found
    assert not differ


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
async def test_a_session_of_the_old_era_is_answered_alike(
    oracle: str, ours: Served, version: str
) -> None:
    hello = {
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "a test", "version": "1"},
    }
    messages = [
        request("tools/list", {}),
        request("tools/call", ECHO),
        request("tools/call", {"name": "dance"}),
        request("resources/read", {"uri": "test://one"}),
        request("prompts/get", {"name": "greet"}),
        request("ping", {}),
        request("tools/dance", {}),
    ]
    heard: list[list[Any]] = []
    async with ClientSession() as http:
        for url in (oracle, ours.url):
            begun = await http.post(url, json=request("initialize", hello), headers=_plain())
            session = {"Mcp-Session-Id": begun.headers["Mcp-Session-Id"]}
            result = (await _message(begun))["result"]
            # Which changes are told is up to a server; everything else is not.
            result.pop("capabilities")
            told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            ready = await http.post(url, json=told, headers={**_plain(), **session})
            answers = [await _answer(http, url, message, session) for message in messages]
            heard.append([result, ready.status, *[(status, body) for status, _, body in answers]])
    assert heard[0] == heard[1]


async def _answer(
    http: ClientSession, url: str, message: Any, headers: dict[str, str]
) -> tuple[int, str, Any]:
    async with http.post(url, json=message, headers={**_plain(), **headers}) as response:
        kind = response.content_type if response.status == 200 else ""
        return response.status, kind, await _message(response)


async def _message(response: ClientResponse) -> Any:
    text = await response.text()
    if response.content_type == "text/event-stream":
        return json.loads(
            [line for line in text.splitlines() if line.startswith("data: ")][-1][6:]
        )
    return json.loads(text) if text else None


def _code(body: Any) -> Any:
    return body and body.get("error", {}).get("code")


def _plain() -> dict[str, str]:
    return {key: value for key, value in HEADERS.items() if key != "Content-Type"}
