"""Which rooms we share with a person, on both databases."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from pydantic import SecretStr

from lycatra_appservice.db.connection import Database
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.invitations import Invitation, InvitationStore, Outcome
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.shared_rooms import SharedRooms
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import EventID, RoomID, UserID
from lycatra_appservice.settings import Invitations
from tests.support.homeserver_stub import (
    AS_TOKEN,
    HomeserverStub,
    running_homeserver_stub,
)
from tests.support.scene import NAMESPACES
from tests.support.turns import query

ROOM = RoomID("!room")
USERS = VirtualUsers(server_name="hs.test", namespaces=NAMESPACES)
MAIN, UPDATES = USERS.main, USERS.of("updates")
PERSON, OTHER = UserID("@person:hs.test"), UserID("@other:hs.test")


@pytest.fixture
async def stub() -> AsyncIterator[HomeserverStub]:
    async with running_homeserver_stub() as running:
        for user in USERS.all:
            running.add_user(user)
        yield running


@pytest.fixture
async def rooms(stub: HomeserverStub, database: Database) -> AsyncIterator[RoomStore]:
    async with aiohttp.ClientSession() as session:
        client = MatrixClient(session, stub.url, SecretStr(AS_TOKEN))
        yield RoomStore(database, client, USERS)


@pytest.fixture
def shared(database: Database, rooms: RoomStore) -> SharedRooms:
    return SharedRooms(database, rooms, USERS)


async def known(stub: HomeserverStub, rooms: RoomStore, room_id: str, **members: str) -> None:
    """A room that was read; members by the names above."""
    named = {"person": PERSON, "other": OTHER, "main": MAIN, "updates": UPDATES}
    joined = [named[who] for who, membership in members.items() if membership == "join"]
    stub.add_room(room_id, *joined)
    for who, membership in members.items():
        stub.state[room_id, "m.room.member", named[who]] = {"membership": membership}
    await rooms.view(RoomID(room_id))


async def test_only_rooms_of_nobody_else_are_direct_ones(
    shared: SharedRooms, stub: HomeserverStub, rooms: RoomStore
) -> None:
    await known(stub, rooms, "!direct", person="join", main="join")
    await known(stub, rooms, "!with_another_of_us", person="join", main="join", updates="join")
    await known(stub, rooms, "!other_left", person="join", main="join", other="leave")
    await known(stub, rooms, "!group", person="join", main="join", other="join")
    await known(stub, rooms, "!invited", person="join", main="join", other="invite")
    await known(stub, rooms, "!not_ours", person="join", updates="join")
    await known(stub, rooms, "!not_theirs", other="join", main="join")
    await known(stub, rooms, "!they_left", person="leave", main="join")
    stub.state["!encrypted", "m.room.encryption", ""] = {"algorithm": "m.megolm.v1.aes-sha2"}
    await known(stub, rooms, "!encrypted", person="join", main="join")

    found = await shared.direct_with(PERSON)

    assert set(found) == {"!direct", "!with_another_of_us", "!other_left"}
    assert await shared.direct_with(UserID("@nobody:hs.test")) == []


async def test_the_inviter_is_who_was_let_in_last(shared: SharedRooms, database: Database) -> None:
    store = InvitationStore(database, Invitations(), "hs.test")
    assert await shared.inviter_of(ROOM) is None
    for n, (inviter, refusal) in enumerate(
        [(PERSON, None), (OTHER, None), (UserID("@no:hs.test"), Outcome.NOT_ALLOWED)]
    ):
        invitation = Invitation(
            event_id=EventID(f"${n}"), room_id=ROOM, user_id=MAIN, inviter=inviter
        )
        await store.decide(invitation, refusal, is_exempt=False)
        await query(database, "UPDATE invitation SET at = at - 10")

    assert await shared.inviter_of(ROOM) == OTHER
    assert await shared.inviter_of(RoomID("!another")) is None
