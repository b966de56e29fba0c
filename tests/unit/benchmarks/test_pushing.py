"""The benchmarks' homeserver pushes what it says, and takes nothing but a 200 for an answer."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.measuring import WrongWorkError
from benchmarks.pushing import CROWDS, Push, PushConnection, PushMaker
from benchmarks.servers.serving import TRANSACTIONS
from lycatra_appservice.model import JSON


class Taker:
    """Takes pushes; answers as a test says."""

    def __init__(self) -> None:
        self.bodies: list[JSON] = []
        self.status = 200

    async def push(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        return web.json_response({}, status=self.status)


@pytest.fixture
def server() -> Taker:
    return Taker()


@pytest.fixture
async def port(server: Taker) -> AsyncIterator[int]:
    application = web.Application(client_max_size=2**26)
    application.add_routes([web.put(TRANSACTIONS, server.push)])
    async with TestServer(application, host="127.0.0.1") as running:
        assert running.port
        yield running.port


async def push(port: int, pushes: list[Push]) -> float:
    def in_a_thread() -> float:
        with PushConnection(port) as connection:
            return connection.push_all(pushes)

    async with asyncio.timeout(20):
        return await asyncio.to_thread(in_a_thread)


async def test_a_push_has_its_share_of_ours_and_the_rest_is_crowds_talk(
    server: Taker, port: int
) -> None:
    await push(port, PushMaker().make(3, 100, 2))

    for body in server.bodies:
        assert len(body["events"]) == 100
        ours = [event for event in body["events"] if event["content"]["body"].startswith("!")]
        assert len(ours) == 2
        assert all(event["room_id"] in CROWDS for event in body["events"] if event not in ours)


async def test_no_event_is_pushed_twice(server: Taker, port: int) -> None:
    maker = PushMaker()
    await push(port, [*maker.make(2, 100, 100), *maker.make(20, 1, 1)])

    ids = [event["event_id"] for body in server.bodies for event in body["events"]]
    assert len(set(ids)) == len(ids) == 220


async def test_a_push_that_was_not_taken_has_no_speed(server: Taker, port: int) -> None:
    server.status = 503
    with pytest.raises(WrongWorkError, match="503"):
        await push(port, PushMaker().make(1, 1, 1))


async def test_a_server_that_hangs_up_has_no_speed() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        with pytest.raises((WrongWorkError, OSError)):
            await push(server.sockets[0].getsockname()[1], PushMaker().make(1, 1, 1))


def test_requests_carry_their_own_length() -> None:
    [made] = PushMaker().make(1, 5, 1)
    head, _, body = made.request.partition(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head
    assert len(json.loads(body)["events"]) == made.events == 5
