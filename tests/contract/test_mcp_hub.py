"""Two replicas and the sessions of MCP clients: whichever of them a request comes to."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse
from mcp.server.subscriptions import ResourceUpdated, ServerEvent, ToolsListChanged

from lycatra_appservice.db.open import new_owner_id, open_database
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.shared_hub import HUB_CHANNEL, SharedHub
from tests.support.mcp_served import Served, request, served
from tests.support.mcp_tools import Tools
from tests.support.postgres import PostgresServer
from tests.support.turns import query
from tests.support.waiting import until


@dataclass(frozen=True)
class Replica:
    """One of the two, with tools of its own."""

    served: Served
    hub: SharedHub
    tools: Tools


@pytest.fixture
async def replicas(postgres_server: PostgresServer) -> AsyncIterator[tuple[Replica, Replica]]:
    async with postgres_server.migrated_database() as dsn, AsyncExitStack() as stack:
        yield (await _replica(dsn, stack), await _replica(dsn, stack))


async def _replica(url: str, stack: AsyncExitStack) -> Replica:
    opened = await open_database(url, owner=new_owner_id())
    stack.push_async_callback(opened.database.close)
    here, tools = Here(), Tools()
    hub = SharedHub(opened.database, here)
    opened.signals.listen(HUB_CHANNEL, hub.heard)
    ready = asyncio.Event()

    async def connected() -> None:
        ready.set()

    listening = asyncio.create_task(opened.signals.run(connected))
    collecting = asyncio.create_task(hub.run())
    stack.push_async_callback(_end, listening, collecting)
    async with asyncio.timeout(20):
        await ready.wait()
    running = await stack.enter_async_context(served(tools.server(hub), here=here, hub=hub))
    return Replica(running, hub, tools)


async def _end(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_question_of_one_replica_is_answered_by_way_of_the_other(
    replicas: tuple[Replica, Replica],
) -> None:
    one, two = replicas
    session = await one.served.initialised()
    asking = await one.served.post(
        request("tools/call", {"name": "ask", "arguments": {}}), Mcp_Session_Id=session
    )
    asked = await _event(asking)
    result = {"action": "accept", "content": {"name": "anna"}}
    answer = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
    assert (await two.served.post(answer, Mcp_Session_Id=session)).status == 202
    told = await _event(asking)
    assert told["result"]["content"][0]["text"] == "accept: anna"
    assert not await _rows(one, "mcp_answer")


async def test_an_answer_whose_hint_was_lost_is_collected_all_the_same(
    replicas: tuple[Replica, Replica],
) -> None:
    one, two = replicas
    session = await one.served.initialised()
    asking = await one.served.post(
        request("tools/call", {"name": "ask", "arguments": {}}), Mcp_Session_Id=session
    )
    asked = await _event(asking)
    known = two.served.transport._legacy._ids.read(session, "@anna:example.org anna")
    assert known is not None
    answer = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}}
    await query(
        two.hub._database,
        "INSERT INTO mcp_answer (nonce, request_id, message, at)"
        " VALUES (:nonce, :id, :message, lycatra_now()) RETURNING nonce",
        nonce=known.nonce,
        id=json.dumps(asked["id"]),
        message=json.dumps(answer),
    )
    assert (await _event(asking))["result"]["content"][0]["text"] == "decline: None"


async def test_a_call_of_one_replica_is_cancelled_by_way_of_the_other(
    replicas: tuple[Replica, Replica],
) -> None:
    one, two = replicas
    session = await one.served.initialised()
    call = request("tools/call", {"name": "wait", "arguments": {}}, 7)
    calling = asyncio.ensure_future(one.served.post(call, Mcp_Session_Id=session))
    await one.tools.begun.wait()
    params = {"requestId": 7}
    told = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
    await two.served.post(told, Mcp_Session_Id=session)
    async with asyncio.timeout(10):
        await one.tools.cancelled.wait()
        assert (await (await calling).json())["error"]["code"] == -32800


async def test_a_session_that_is_ended_on_one_replica_is_ended_on_both(
    replicas: tuple[Replica, Replica],
) -> None:
    one, two = replicas
    session = await one.served.initialised()
    message = request("tools/list")
    assert (await two.served.post(message, Mcp_Session_Id=session)).status == 200
    ended = await one.served.session.delete(one.served.url, headers={"Mcp-Session-Id": session})
    assert ended.status == 200

    async def is_gone() -> bool:
        return (await two.served.post(message, Mcp_Session_Id=session)).status == 404

    await until(is_gone, "the end of the session")


async def test_what_one_replica_publishes_reaches_the_streams_of_the_other(
    replicas: tuple[Replica, Replica],
) -> None:
    one, two = replicas
    heard: list[ServerEvent] = []
    stop = two.hub.subscribe(heard.append)
    await one.hub.publish(ToolsListChanged())
    await one.hub.publish(ResourceUpdated(uri="updates://latest"))

    async def both() -> bool:
        return len(heard) == 2

    await until(both, "both events")
    stop()
    assert heard == [ToolsListChanged(), ResourceUpdated(uri="updates://latest")]


async def test_a_resource_watched_by_way_of_one_replica_is_told_of_by_the_other(
    replicas: tuple[Replica, Replica],
) -> None:
    one, two = replicas
    session = await one.served.initialised()
    known = one.served.transport._legacy._ids.read(session, "@anna:example.org anna")
    assert known is not None
    await one.hub.watch(known, "test://one", on=True)
    assert await two.hub.watched(known) == {"test://one"}
    await two.hub.watch(known, "test://one", on=False)
    assert await one.hub.watched(known) == frozenset()


async def test_what_concerns_nobody_any_more_is_forgotten(
    replicas: tuple[Replica, Replica],
) -> None:
    one, _ = replicas
    session = await one.served.initialised()
    known = one.served.transport._legacy._ids.read(session, "@anna:example.org anna")
    assert known is not None
    await one.hub.revoke(known)
    await one.hub.watch(known, "test://one", on=True)
    await one.hub.forget()
    assert await _rows(one, "mcp_revoked")
    await query(one.hub._database, "UPDATE mcp_revoked SET expires_at = 1 RETURNING nonce")
    await query(one.hub._database, "UPDATE mcp_watch SET expires_at = 1 RETURNING nonce")
    await one.hub.forget()
    assert not await _rows(one, "mcp_revoked")
    assert not await _rows(one, "mcp_watch")


async def _rows(replica: Replica, table: str) -> list[object]:
    return [*await query(replica.hub._database, f"SELECT * FROM {table}")]  # noqa: S608


async def _event(response: ClientResponse) -> Any:
    async with asyncio.timeout(20):
        while True:
            line = (await response.content.readline()).decode()
            assert line, "the stream has ended"
            if line.startswith("data: "):
                return json.loads(line[6:])
