"""Who comes to `/mcp`, and what ends that: over real rooms, real rights and a real table."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, web

from lycatra_appservice.mcp.addresses import Addresses
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.hub import LocalHub
from lycatra_appservice.mcp.identity import GuestIdentities, TokenIdentities
from lycatra_appservice.mcp.pace import Pace
from lycatra_appservice.mcp.refusing import RefusedError
from lycatra_appservice.mcp.sessions import SessionIds
from lycatra_appservice.mcp.tokens import ENDED_CHANNEL, NewToken, Scope, TokenStore
from lycatra_appservice.mcp.transport import McpTransport
from lycatra_appservice.model import Level, UserID
from tests.support.mcp_served import KEY, request
from tests.support.mcp_tools import Tools
from tests.support.scene import EVERYBODY, MAIN, OTHER, PERSON, ROOM, STRANGER, Scene, open_scene
from tests.support.toolbench import Lists

LIST = request("tools/list")


@dataclass
class Door:
    """An endpoint that asks for tokens."""

    scene: Scene
    tokens: TokenStore
    http: ClientSession
    url: str
    tools: Tools

    async def come(self, authorization: str | None, message: object = LIST) -> ClientResponse:
        headers = {} if authorization is None else {"Authorization": authorization}
        return await self.http.post(self.url, json=message, headers=headers)


@asynccontextmanager
async def door(folder: Path, *, per_minute: int = 1000) -> AsyncIterator[Door]:
    lists = Lists(viewer=["*:hs.test"], none=["@denied:hs.test"])
    async with open_scene(folder, lists=lists) as scene:
        scene.seat(*EVERYBODY)
        tokens, here = TokenStore(scene.database), Here()
        identities = TokenIdentities(tokens, scene.rooms, scene.ground.rights, Pace(per_minute))

        def ended(token_id: str) -> None:
            identities.heard(token_id)
            here.cut_token(token_id, -32600, "This token was ended.")

        scene.signals.listen(ENDED_CHANNEL, ended)
        listening = asyncio.create_task(scene.signals.run())
        tools = Tools()
        transport = McpTransport(
            tools.server(),
            identify=identities.of,
            addresses=Addresses(),
            sessions=SessionIds([KEY], time.time),
            here=here,
            hub=LocalHub(here),
        )
        application = web.Application()
        application.add_routes(transport.routes())
        runner = web.AppRunner(application, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
        try:
            async with ClientSession() as http:
                yield Door(scene, tokens, http, url, tools)
        finally:
            await runner.cleanup()
            listening.cancel()


async def test_who_brings_nothing_is_told_that_a_token_is_needed(tmp_path: Path) -> None:
    async with door(tmp_path) as at:
        response = await at.come(None)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert "!mcp" in (await response.json())["error"]["message"]


@pytest.mark.parametrize(
    "brought",
    ["Bearer lyc_wrong", "Basic YTpi", "Bearer", "lyc_", "Bearer syt_a_b_c", "Bearer mat_x"],
)
async def test_what_is_no_token_of_ours_is_refused_and_shown_nowhere(
    tmp_path: Path, brought: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with door(tmp_path) as at:
        with caplog.at_level(logging.DEBUG):
            response = await at.come(brought)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert brought.split()[-1] not in caplog.text or brought == "Bearer"


async def test_a_token_lets_its_person_in_until_it_is_ended(tmp_path: Path) -> None:
    async with door(tmp_path) as at:
        secret = await at.tokens.make(NewToken(owner=PERSON, name="laptop"))
        assert (await at.come(f"Bearer {secret}")).status == 200
        [token] = await at.tokens.of(PERSON)
        assert token.used is not None
        await at.tokens.end(token, by=PERSON)
        assert (await at.come(f"Bearer {secret}")).status == 401


async def test_what_is_under_way_ends_with_its_token(tmp_path: Path) -> None:
    async with door(tmp_path) as at:
        secret = await at.tokens.make(NewToken(owner=PERSON, name="laptop"))
        wait = request("tools/call", {"name": "wait", "arguments": {}})
        calling = asyncio.ensure_future(at.come(f"Bearer {secret}", wait))
        await at.tools.begun.wait()
        [token] = await at.tokens.of(PERSON)
        await at.tokens.end(token, by=PERSON)
        async with asyncio.timeout(10):
            error = (await (await calling).json())["error"]
        assert error["message"] == "This token was ended."
        assert at.tools.cancelled.is_set()


async def test_who_is_denied_is_refused_whatever_the_token_says(tmp_path: Path) -> None:
    async with door(tmp_path) as at:
        denied = UserID("@denied:hs.test")
        secret = await at.tokens.make(NewToken(owner=denied, name="laptop"))
        assert (await at.come(f"Bearer {secret}")).status == 401


async def test_who_is_in_no_list_comes_in_and_finds_nothing(tmp_path: Path) -> None:
    async with door(tmp_path) as at:
        secret = await at.tokens.make(NewToken(owner=STRANGER, name="laptop"))
        assert (await at.come(f"Bearer {secret}")).status == 200


async def test_leaving_its_room_ends_a_token_for_good(tmp_path: Path) -> None:
    async with door(tmp_path) as at:
        await at.scene.ask("!help")  # so that the room is known
        new = NewToken(owner=OTHER, name="here", room_id=ROOM)
        secret = await at.tokens.make(new)
        assert await at.tokens.find(secret) is not None
        leave = {"membership": "leave"}
        at.scene.stub.state[ROOM, "m.room.member", OTHER] = leave
        await at.scene.hear(at.scene.member(OTHER, "leave", sender=OTHER))
        assert (await at.come(f"Bearer {secret}")).status == 401
        assert await at.tokens.find(secret) is None


async def test_too_many_requests_of_a_token_are_told_how_long_to_wait(tmp_path: Path) -> None:
    async with door(tmp_path, per_minute=8) as at:
        anna = await at.tokens.make(NewToken(owner=PERSON, name="laptop"))
        other = await at.tokens.make(NewToken(owner=PERSON, name="phone"))
        answers = [(await at.come(f"Bearer {anna}")) for _ in range(4)]
        assert [each.status for each in answers[:2]] == [200, 200]
        assert answers[-1].status == 429
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 8
        assert (await at.come(f"Bearer {other}")).status == 200


def test_a_pace_fills_evenly() -> None:
    now = [0.0]
    pace = Pace(60, clock=lambda: now[0])
    for _ in range(15):
        pace.take("one")
    with pytest.raises(RefusedError):
        pace.take("one")
    now[0] += 1.0
    pace.take("one")
    with pytest.raises(RefusedError):
        pace.take("one")


@pytest.mark.parametrize(
    ("remote", "networks", "let_in"),
    [
        ("127.0.0.1", [], True),
        ("::1", [], True),
        ("::ffff:127.0.0.1", [], True),
        ("10.0.0.9", [], False),
        ("10.0.0.9", ["10.0.0.0/24"], True),
        ("10.0.1.9", ["10.0.0.0/24"], False),
        ("::ffff:10.0.0.9", ["10.0.0.0/24"], True),
        (None, ["10.0.0.0/24"], False),
    ],
)
def test_guests_come_from_this_machine_or_a_listed_network(
    remote: str | None, networks: Sequence[str], let_in: bool
) -> None:
    guests = GuestIdentities(MAIN, [ip_network(each) for each in networks], Pace(100))
    assert guests._is_let_in(remote) is let_in


async def test_a_guest_may_what_viewers_may_and_nothing_else(tmp_path: Path) -> None:
    async with open_scene(tmp_path, lists=Lists(viewer=[], admin=[MAIN])) as scene:
        caller = GuestIdentities(MAIN, [], Pace(100))._bearer.caller
        toolbox = await scene.ground.gate.open(caller)
        names = [tool.name for tool in toolbox.tools()]
        assert "list_updates" in names
        assert "restart_service" not in names
        assert "search_journal" not in names


async def test_a_token_that_only_reads_takes_nothing_else_away(tmp_path: Path) -> None:
    lists = Lists(viewer=[], operator=[PERSON])
    async with open_scene(tmp_path, lists=lists) as scene:
        rights = scene.ground.rights
        assert await rights.level(PERSON, None) is Level.OPERATOR
        for scope, offered in ((Scope.OPERATE, True), (Scope.READ, False)):
            secret = await TokenStore(scene.database).make(
                NewToken(owner=PERSON, name=scope.value, scope=scope)
            )
            identities = TokenIdentities(
                TokenStore(scene.database), scene.rooms, rights, Pace(100)
            )
            found = await identities._looked_up(secret, "key")
            toolbox = await scene.ground.gate.open(found.bearer.caller)
            names = [tool.name for tool in toolbox.tools()]
            assert ("restart_service" in names) is offered
            assert "search_journal" in names
