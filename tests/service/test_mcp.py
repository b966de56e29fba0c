"""`/mcp` of a running replica on a real Synapse, from the token to the approved change."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.model import EventID
from tests.support.lycatra import Lycatra
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.waiting import until

pytestmark = pytest.mark.slow

# As people type them, but for the port of the test.
_CURL = (
    'curl -X POST -H "Content-Type: application/json" -d'
    """ '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' http://localhost:8080/mcp""",
    'curl -X POST -H "Content-Type: application/json" -d'
    """ '{"jsonrpc":"2.0","id":1,"method":"tools/call",'"""
    """'"params":{"name":"list_updates","arguments":{}}}' http://localhost:8080/mcp""",
)
ERAS = ["auto", "legacy"]
_SECRET = re.compile(r"lyc_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, kw_only=True)
class Play:
    """A replica, and a person in a direct room with it who is an operator."""

    replica: Lycatra
    person: PersonClient
    direct: Room
    folder: Path

    @property
    def url(self) -> str:
        return f"{self.replica.url}/mcp"

    async def token(self, words: str = "laptop") -> str:
        """A token made by a message."""
        said = await self.direct.said_to(f"!mcp token new {words}")
        found = _SECRET.search(said)
        assert found is not None, said
        return found[0]

    def restarts(self) -> list[str]:
        log = self.folder / "restarts"
        return log.read_text().split() if log.exists() else []


@pytest.fixture
async def play(stage: Stage, tmp_path: Path) -> Play:
    person = await stage.person()
    server = stage.site.homeserver.server_name
    program = "import sys; open(sys.argv[1] + '/restarts', 'a').write(sys.argv[2] + '\\n')"
    restart = {
        "service": "web",
        "kind": "command",
        "argv": [sys.executable, "-c", program, str(tmp_path), "{service}"],
        "shown": "systemctl restart web",
    }
    more = {
        "access": {"viewer": [f"*:{server}"], "operator": [person.user_id]},
        "tools": {"services": {"restarts": [restart]}},
        "mcp": {"wait": "20s"},
    }
    replica = await stage.replica(sqlite_in(tmp_path), more=more)
    await replica.start()
    direct = await stage.room(person, others=0)
    return Play(replica=replica, person=person, direct=direct, folder=tmp_path)


@asynccontextmanager
async def client(play: Play, token: str, era: Any = "auto", **more: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with create_mcp_http_client(headers=headers) as http:
        transport = streamable_http_client(play.url, http_client=http)
        async with Client(transport, mode=era, **more) as connected:
            yield connected


def text(result: Any) -> str:
    return str(result.content[0].text)


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_with_a_persons_token_has_the_persons_tools(play: Play, era: str) -> None:
    async with client(play, await play.token(), era) as connected:
        tools = {tool.name: tool for tool in (await connected.list_tools()).tools}
        assert {"list_updates", "get_service_status", "read_doc", "help"} <= tools.keys()
        assert "lycatra" in text(await connected.call_tool("get_service_status", {})).lower()
        read = await connected.read_resource("docs://README")
        assert "Lycatra" in read.contents[0].text  # type: ignore[union-attr]
        live = await connected.read_resource("services://status")
        assert "lycatra" in json.loads(live.contents[0].text)  # type: ignore[union-attr]
        prompts = [each.name for each in (await connected.list_prompts()).prompts]
        assert prompts == ["explain_service", "incident_report", "summarise_updates"]
        uris = [str(each.uri) for each in (await connected.list_resources()).resources]
        assert {"updates://latest", "services://status", "docs://lycatra/README"} <= {*uris}


async def test_the_two_lines_that_people_type_with_curl_work_with_a_token(play: Play) -> None:
    token = await play.token()
    called = {"name": "list_updates", "arguments": {}}
    async with ClientSession(headers={"Authorization": f"Bearer {token}"}) as http:
        for method, params in (("tools/list", None), ("tools/call", called)):
            message = {"jsonrpc": "2.0", "id": 1, "method": method}
            body = message if params is None else {**message, "params": params}
            async with http.post(play.url, json=body) as response:
                assert response.status == 200
                assert "result" in await response.json()


async def test_a_change_waits_for_a_reaction_and_is_made_once(play: Play) -> None:
    async with client(play, await play.token()) as connected:
        calling = asyncio.ensure_future(connected.call_tool("restart_service", {"service": "web"}))
        card = await _card(play)
        await play.person.react(play.direct.room_id, card, "👍")
        result = await calling
        assert not result.is_error, text(result)
    assert play.restarts() == ["web"]


async def test_a_token_that_only_reads_is_not_offered_changes(play: Play) -> None:
    async with client(play, await play.token("reader --scope read")) as connected:
        names = [tool.name for tool in (await connected.list_tools()).tools]
        assert "list_updates" in names
        assert "restart_service" not in names
        result = await connected.call_tool("restart_service", {"service": "web"})
        assert result.is_error
        assert "may only look" in text(result)
    assert play.restarts() == []


async def test_a_token_is_listed_and_ended_by_a_message(play: Play) -> None:
    token = await play.token()
    listed = await play.direct.said_to("!mcp token list")
    assert "laptop" in listed
    assert token not in listed
    assert "ended" in await play.direct.said_to("!mcp token revoke laptop")
    async with ClientSession() as http:
        headers = {"Authorization": f"Bearer {token}"}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        async with http.post(play.url, json=message, headers=headers) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert token not in play.replica.log()


async def test_without_tokens_the_two_lines_of_curl_work_as_they_stand(
    stage: Stage, tmp_path: Path
) -> None:
    replica = await stage.replica(sqlite_in(tmp_path), more={"mcp": {"auth": "none"}})
    await replica.start()
    listed, called = (line.replace("8080", str(replica.port)) for line in _CURL)
    tools = json.loads(await _shell(listed))["result"]["tools"]
    assert "list_updates" in [tool["name"] for tool in tools]
    assert "restart_service" not in [tool["name"] for tool in tools]
    result = json.loads(await _shell(called))["result"]
    assert not result["isError"]
    assert result["content"][0]["type"] == "text"


async def test_a_session_goes_on_at_another_replica_when_its_own_is_killed(
    stage: Stage, postgres_dsn: str
) -> None:
    replicas = [await stage.replica(postgres_dsn, more={"mcp": {"auth": "none"}}) for _ in "ab"]
    for replica in replicas:
        await replica.start()
    one, two = (f"{replica.url}/mcp" for replica in replicas)
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "a test", "version": "1"},
    }
    call = {"name": "list_updates", "arguments": {}}
    async with ClientSession() as http:
        begun = await http.post(one, json=_request("initialize", hello))
        session = {"Mcp-Session-Id": begun.headers["Mcp-Session-Id"]}
        for url in (one, two):
            response = await http.post(url, json=_request("tools/call", call), headers=session)
            assert "result" in await response.json()
        replicas[0].kill()
        response = await http.post(two, json=_request("tools/call", call), headers=session)
        assert "result" in await response.json()
        assert (await http.delete(two, headers=session)).status == 200
        gone = await http.post(two, json=_request("tools/list", {}), headers=session)
        assert gone.status == 404


async def test_a_replica_that_is_told_to_stop_ends_what_waits_and_what_listens(
    play: Play,
) -> None:
    token = await play.token()
    headers = {"Authorization": f"Bearer {token}"}
    session = {"Accept": "text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "a test", "version": "1"},
    }
    call = {"name": "restart_service", "arguments": {"service": "web"}}
    async with ClientSession(headers=headers) as http:
        begun = await http.post(play.url, json=_request("initialize", hello))
        session["Mcp-Session-Id"] = begun.headers["Mcp-Session-Id"]
        stream = await http.get(play.url, headers=session)
        waiting = asyncio.ensure_future(http.post(play.url, json=_request("tools/call", call)))
        await _card(play)
        assert await play.replica.stop() == 0
        assert "waiting_for_approval" in await (await waiting).text()
        assert (await stream.content.read()).strip() == b": listening"
    assert play.restarts() == []


async def _shell(line: str) -> bytes:
    process = await asyncio.create_subprocess_shell(
        line, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    return output


def _request(method: str, params: Any) -> Any:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def _card(play: Play) -> EventID:
    found: list[EventID] = []

    async def came() -> bool:
        found.extend(
            EventID(event["event_id"])
            for event in await play.direct.events()
            if event["content"].get("org.lycatra.reply", {}).get("kind") == "card"
        )
        return bool(found)

    await until(came, "a card")
    return found[0]
