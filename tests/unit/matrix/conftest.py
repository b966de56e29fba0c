"""A stub homeserver with `@lycatra`, one namespace's user and a room of both; clients of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from pydantic import SecretStr

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import RoomID
from tests.support.homeserver_stub import (
    AS_TOKEN,
    SERVER_NAME,
    HomeserverStub,
    running_homeserver_stub,
)

ROOM = RoomID("!room-of-version-12")


@dataclass(frozen=True, slots=True)
class Namespace:
    name: str
    display_name: str


@pytest.fixture
def users() -> VirtualUsers:
    return VirtualUsers(
        server_name=SERVER_NAME,
        namespaces=[Namespace("updates", "Updates"), Namespace("services", "Services")],
    )


@pytest.fixture
async def stub(users: VirtualUsers) -> AsyncIterator[HomeserverStub]:
    async with running_homeserver_stub() as stub:
        for user in users.all:
            stub.add_user(user)
        stub.add_room(ROOM, users.main, users.of("updates"))
        yield stub


@pytest.fixture
async def client(stub: HomeserverStub) -> AsyncIterator[MatrixClient]:
    async with aiohttp.ClientSession() as session:
        yield MatrixClient(session, stub.url, SecretStr(AS_TOKEN))


@pytest.fixture
def encrypted() -> set[RoomID]:
    """The rooms that the deliverer is told are encrypted; a test adds to it."""
    return set()


@pytest.fixture
def deliverer(
    client: MatrixClient, users: VirtualUsers, encrypted: set[RoomID]
) -> MatrixDeliverer:
    async def is_encrypted(room_id: RoomID) -> bool:
        return room_id in encrypted

    return MatrixDeliverer(client, users, is_encrypted=is_encrypted)
