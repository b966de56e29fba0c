"""Changes that clients ask for: who is asked, who may decide, and that each is made once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.toolkit.base import Rule
from tests.support.approving import LISTS, OPERATOR, SECOND, Services, seat_people
from tests.support.mcp_desk import Desk, open_desk
from tests.support.scene import MAIN, PERSON, at_work, open_scene
from tests.support.turns import query

DIRECT = RoomID("!direct")
ARGUMENTS = {"service": "web"}
ERAS = ["auto", "legacy"]


@asynccontextmanager
async def desk(
    folder: Path, services: Services, rule: Rule | None = None, **options: Any
) -> AsyncIterator[Desk]:
    async with open_scene(folder, lists=LISTS, tools=services.tools(rule)) as scene:
        seat_people(scene)
        scene.seat(OPERATOR, MAIN, room_id=DIRECT)
        await scene.ask("!help", sender=OPERATOR, room_id=DIRECT)
        async with at_work(scene), open_desk(scene, **options) as opened:
            yield opened


@asynccontextmanager
async def client(
    opened: Desk, era: Any = "auto", by: UserID = OPERATOR, **options: Any
) -> AsyncIterator[Client]:
    name = by.split(":")[0][1:]
    headers = {"Authorization": f"Bearer {name}"}
    async with create_mcp_http_client(headers=headers) as http:
        transport = streamable_http_client(opened.served.url, http_client=http)
        async with Client(transport, mode=era, **options) as connected:
            yield connected


async def says_yes(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"approve": True})


async def says_no(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="decline")


async def closes_it(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="cancel")


def text(result: Any) -> str:
    return "\n".join(each.text for each in result.content if each.type == "text")


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_can_ask_asks_its_person_and_the_change_is_made_once(
    tmp_path: Path, era: str
) -> None:
    services = Services()
    async with (
        desk(tmp_path, services) as opened,
        client(opened, era, elicitation_callback=says_yes) as connected,
    ):
        result = await connected.call_tool("restart_service", ARGUMENTS)
        assert (text(result), result.is_error) == ("web is back", False)
    assert services.restarted == ["web"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_person_who_declines_in_the_client_has_denied_it(tmp_path: Path, era: str) -> None:
    services = Services()
    async with (
        desk(tmp_path, services) as opened,
        client(opened, era, elicitation_callback=says_no) as connected,
    ):
        result = await connected.call_tool("restart_service", ARGUMENTS)
        assert "denied this" in text(result)
    assert services.restarted == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_waits_for_a_reaction_in_matrix(
    tmp_path: Path, era: str
) -> None:
    services = Services()
    async with desk(tmp_path, services) as opened, client(opened, era) as connected:
        calling = asyncio.ensure_future(connected.call_tool("restart_service", ARGUMENTS))
        async with asyncio.timeout(20):
            await opened.vote(await opened.card(), OPERATOR)
            assert text(await calling) == "web is back"
    assert services.restarted == ["web"]


async def test_two_pairs_of_eyes_are_asked_for_in_matrix_whatever_the_client_can(
    tmp_path: Path,
) -> None:
    services = Services()
    rule = Rule(not_requester=True)
    async with (
        desk(tmp_path, services, rule, wait=timedelta(seconds=0)) as opened,
        client(opened, elicitation_callback=says_yes) as connected,
    ):
        result = await connected.call_tool("restart_service", ARGUMENTS)
        # In a direct room nobody else could vote, so it is refused at once.
        assert result.is_error
        assert "not enough people in this room" in text(result)
    assert services.restarted == []


async def test_who_does_not_wait_reads_what_to_do_and_fetches_the_end_later(
    tmp_path: Path,
) -> None:
    services = Services()
    async with (
        desk(tmp_path, services, wait=timedelta(seconds=0)) as opened,
        client(opened) as connected,
    ):
        result = await connected.call_tool("restart_service", ARGUMENTS)
        code = await opened.card()
        assert not result.is_error
        assert result.structured_content == {"status": "waiting_for_approval", "approval": code}
        again = await connected.call_tool("restart_service", ARGUMENTS)
        assert again.structured_content == result.structured_content
        await opened.vote(code, OPERATOR)
        async with asyncio.timeout(20):
            while not text(again).startswith("web"):
                again = await connected.call_tool("restart_service", ARGUMENTS)
        assert services.restarted == ["web"]
        # What was fetched is over: the same words are a new wish, with a card of its own.
        anew = await connected.call_tool("restart_service", ARGUMENTS)
        assert anew.structured_content != result.structured_content
    assert services.restarted == ["web"]


async def test_a_change_whose_token_is_revoked_while_it_waits_is_not_made(tmp_path: Path) -> None:
    services = Services()
    async with (
        desk(tmp_path, services, wait=timedelta(seconds=0)) as opened,
        client(opened) as connected,
    ):
        result = await connected.call_tool("restart_service", ARGUMENTS)
        code = await opened.card()
        await query(
            opened.scene.database,
            "INSERT INTO mcp_token (id, hash, owner, name, scope, created_at, expires_at,"
            " ended_at, ended_by) VALUES ('operator', 'h', 'o', 'n', 'operate', 1, 2, 3, 'owner')"
            " RETURNING id",
        )
        await opened.vote(code, OPERATOR)
        async with asyncio.timeout(20):
            while not result.is_error:
                result = await connected.call_tool("restart_service", ARGUMENTS)
        assert "token that asked for this was revoked" in text(result)
    assert services.restarted == []


async def test_an_end_that_was_not_fetched_for_long_says_how_old_it_is(tmp_path: Path) -> None:
    services = Services()
    async with (
        desk(tmp_path, services, wait=timedelta(seconds=0)) as opened,
        client(opened) as connected,
    ):
        await connected.call_tool("restart_service", ARGUMENTS)
        await opened.vote(await opened.card(), OPERATOR)
        database = opened.scene.database
        async with asyncio.timeout(20):
            ended = None
            while not ended:
                ended = await query(
                    database,
                    "UPDATE mcp_call SET ended_at = ended_at - 7200000"
                    " WHERE ended_at IS NOT NULL RETURNING id",
                )
        result = await connected.call_tool("restart_service", ARGUMENTS)
        assert text(result).startswith("This came of an earlier call, 2 hours ago.")
        assert text(result).endswith("web is back")
    assert services.restarted == ["web"]


async def test_a_state_that_is_sent_twice_runs_nothing_twice(tmp_path: Path) -> None:
    services = Services()
    async with desk(tmp_path, services) as opened:
        asked = await call(opened)
        state = asked["requestState"]
        answer = {"approve": {"action": "accept", "content": {"approve": True}}}
        for _ in range(3):
            done = await call(opened, requestState=state, inputResponses=answer)
            assert done["content"][0]["text"] == "web is back"
        both = await asyncio.gather(
            call(opened, requestState=state, inputResponses=answer),
            call(opened, requestState=state, inputResponses=answer),
        )
        assert [each["content"][0]["text"] for each in both] == ["web is back"] * 2
    assert services.restarted == ["web"]


@pytest.mark.parametrize(
    "changed",
    [
        {"arguments": {"service": "shop"}},
        {"by": "second"},
        {"requestState": "v1.made.up"},
    ],
)
async def test_a_state_holds_for_its_person_and_its_arguments_alone(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    services = Services()
    async with desk(tmp_path, services) as opened:
        asked = await call(opened)
        answer = {"approve": {"action": "accept", "content": {"approve": True}}}
        sent = {"requestState": asked["requestState"], "inputResponses": answer, **changed}
        refused = await call(opened, **sent)
        assert refused["code"] == -32602
    assert services.restarted == []


async def test_nothing_that_a_model_can_write_is_an_approval(tmp_path: Path) -> None:
    services = Services()
    async with (
        desk(tmp_path, services, wait=timedelta(seconds=0)) as opened,
        client(opened) as connected,
    ):
        for made_up in ({"confirm": True}, {"approved": True}, {"approval": "ABCD"}):
            result = await connected.call_tool("restart_service", {**ARGUMENTS, **made_up})
            assert result.is_error
    assert services.restarted == []


async def test_a_wrong_persons_vote_changes_nothing(tmp_path: Path) -> None:
    services = Services()
    async with (
        desk(tmp_path, services, wait=timedelta(seconds=1)) as opened,
        client(opened) as connected,
    ):
        calling = asyncio.ensure_future(connected.call_tool("restart_service", ARGUMENTS))
        await opened.vote(await opened.card(), SECOND)  # is not in the direct room
        assert (await calling).structured_content["status"] == "waiting_for_approval"
    assert services.restarted == []


async def test_the_configuration_can_keep_all_decisions_in_matrix(tmp_path: Path) -> None:
    services = Services()
    async with (
        desk(tmp_path, services, wait=timedelta(seconds=0), by_clients=False) as opened,
        client(opened, elicitation_callback=says_yes) as connected,
    ):
        result = await connected.call_tool("restart_service", ARGUMENTS)
        assert result.structured_content["status"] == "waiting_for_approval"
    assert services.restarted == []


async def test_a_form_that_is_closed_leaves_the_card_open(tmp_path: Path) -> None:
    services = Services()
    async with (
        desk(tmp_path, services, wait=timedelta(seconds=0)) as opened,
        client(opened, elicitation_callback=closes_it) as connected,
    ):
        result = await connected.call_tool("restart_service", ARGUMENTS)
        assert result.structured_content["status"] == "waiting_for_approval"
    assert services.restarted == []


async def test_who_may_not_is_not_offered_it_and_reads_who_could(tmp_path: Path) -> None:
    services = Services()
    async with desk(tmp_path, services) as opened, client(opened, by=PERSON) as connected:
        offered = [tool.name for tool in (await connected.list_tools()).tools]
        assert "list_updates" in offered
        assert "search_journal" not in offered
        result = await connected.call_tool("search_journal", {})
        assert result.is_error
        assert "operator" in text(result)


async def test_waiting_calls_of_a_replica_that_stops_end_at_once(tmp_path: Path) -> None:
    services = Services()
    async with desk(tmp_path, services) as opened, client(opened) as connected:
        calling = asyncio.ensure_future(connected.call_tool("restart_service", ARGUMENTS))
        await opened.card()
        opened.endings.hurry()
        async with asyncio.timeout(5):
            result = await calling
        assert result.structured_content["status"] == "waiting_for_approval"


async def test_what_the_change_gave_as_an_error_is_one(tmp_path: Path) -> None:
    services = Services()
    async with (
        desk(tmp_path, services) as opened,
        client(opened, elicitation_callback=says_yes) as connected,
    ):
        result = await connected.call_tool("restart_service", {"service": "wbe"})
        assert (result.is_error, text(result)) == (True, "I do not know `wbe`.")


async def call(
    opened: Desk, by: str = "operator", arguments: Any = None, **params: Any
) -> dict[str, Any]:
    forms: Any = {"elicitation": {"form": {}}}
    told = {
        "name": "restart_service",
        "arguments": arguments or ARGUMENTS,
        "_meta": {"io.modelcontextprotocol/clientCapabilities": forms},
        **params,
    }
    response = await opened.served.modern("tools/call", told, Authorization=f"Bearer {by}")
    body: dict[str, Any] = await _message(response)
    found: dict[str, Any] = body.get("result") or body["error"]
    return found


async def _message(response: Any) -> Any:
    if response.content_type == "application/json":
        return await response.json()
    lines = (await response.text()).splitlines()
    return json.loads([line for line in lines if line.startswith("data: ")][-1][6:])


async def test_a_person_without_a_direct_room_is_invited_into_one_and_finds_the_card_there(
    tmp_path: Path,
) -> None:
    services = Services()
    async with desk(tmp_path, services, wait=timedelta(seconds=0)) as opened:
        result = await call(opened, by="second")
        assert "requestState" not in result
        assert result["structuredContent"]["approval"] == await opened.card()
    assert services.restarted == []
