"""How somebody stands in a room, on both databases: what is pushed, and what is looked up."""

from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from pydantic import SecretStr

from lycatra_appservice.db.connection import Database
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.matrix.standings import Standings
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, RoomID, UserID
from tests.support.homeserver_stub import (
    AS_TOKEN,
    Failure,
    HomeserverStub,
    running_homeserver_stub,
)
from tests.support.scene import NAMESPACES
from tests.support.toolbench import StillClock
from tests.support.turns import query

ROOM = RoomID("!room-of-version-12")
USERS = VirtualUsers(server_name="hs.test", namespaces=NAMESPACES)
MAIN = USERS.main
PERSON, OTHER = UserID("@person:hs.test"), UserID("@other:hs.test")
MODERATOR = Standing(room_id=ROOM, is_joined=True, power=50)
MEMBER = Standing(room_id=ROOM, is_joined=True, power=0)


@pytest.fixture
async def stub() -> AsyncIterator[HomeserverStub]:
    async with running_homeserver_stub() as running:
        for user in USERS.all:
            running.add_user(user)
        running.add_room(ROOM, MAIN, PERSON)
        for user in (MAIN, PERSON):
            running.state[ROOM, "m.room.member", user] = {"membership": "join"}
        running.state[ROOM, "m.room.power_levels", ""] = {"users": {PERSON: 50}}
        yield running


@pytest.fixture
async def client(stub: HomeserverStub) -> AsyncIterator[MatrixClient]:
    async with aiohttp.ClientSession() as session:
        yield MatrixClient(session, stub.url, SecretStr(AS_TOKEN))


@pytest.fixture
def rooms(database: Database, client: MatrixClient) -> RoomStore:
    return RoomStore(database, client, USERS)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def standings(rooms: RoomStore, client: MatrixClient, clock: StillClock) -> Standings:
    return Standings(rooms, client, USERS, clock)


async def push(
    database: Database, rooms: RoomStore, kind: str, content: Mapping[str, JSON], key: str = ""
) -> None:
    event = {"type": kind, "room_id": ROOM, "state_key": key, "content": content, "sender": OTHER}
    async with database.transaction() as connection:
        await rooms.keep(connection, [event])


async def grow_old(database: Database, clock: StillClock) -> None:
    """As if a bit more than a minute had passed since the room was read and looked at."""
    await query(database, "UPDATE room SET state_at = state_at - 61000")
    clock.seconds += 61


def lookups(stub: HomeserverStub) -> int:
    return len(stub.asked("GET", "/state"))


async def test_a_room_that_is_not_known_is_read_once(
    standings: Standings, stub: HomeserverStub
) -> None:
    assert await standings.of(PERSON, ROOM) == MODERATOR
    asked = lookups(stub)
    assert await standings.of(PERSON, ROOM) == MODERATOR
    assert await standings.of(MAIN, ROOM) == MEMBER
    assert lookups(stub) == asked


@pytest.mark.parametrize("membership", ["invite", "leave", "ban", "knock", None])
async def test_only_who_has_joined_is_a_member(
    standings: Standings, stub: HomeserverStub, membership: str | None
) -> None:
    if membership:
        stub.state[ROOM, "m.room.member", OTHER] = {"membership": membership}

    standing = await standings.of(OTHER, ROOM)

    assert standing == Standing(room_id=ROOM, is_joined=False, power=0)


async def test_a_creator_of_a_room_of_version_12_is_above_every_level(
    standings: Standings, stub: HomeserverStub
) -> None:
    stub.state[ROOM, "m.room.create", ""] = {"room_version": "12", "additional_creators": [PERSON]}

    assert (await standings.of(PERSON, ROOM)).power == 2**53


async def test_what_is_pushed_counts_at_once(
    standings: Standings, stub: HomeserverStub, database: Database, rooms: RoomStore
) -> None:
    assert await standings.of(PERSON, ROOM) == MODERATOR
    asked = lookups(stub)

    await push(database, rooms, "m.room.power_levels", {"users": {PERSON: 49}})
    assert (await standings.of(PERSON, ROOM)).power == 49
    await push(database, rooms, "m.room.member", {"membership": "leave"}, PERSON)
    assert (await standings.of(PERSON, ROOM)).is_joined is False
    assert lookups(stub) == asked


async def test_after_a_minute_it_is_looked_up_by_two_small_requests(
    standings: Standings, stub: HomeserverStub, database: Database, clock: StillClock
) -> None:
    await standings.of(PERSON, ROOM)
    await grow_old(database, clock)
    asked = lookups(stub)

    for _ in range(3):
        assert await standings.of(PERSON, ROOM) == MODERATOR

    assert lookups(stub) == asked + 2
    assert stub.requests[-1].path.rstrip("/") != f"/_matrix/client/v3/rooms/{ROOM}/state"


@pytest.mark.parametrize(
    ("kind", "key", "content", "standing"),
    [
        (
            "m.room.power_levels",
            "",
            {"users": {PERSON: 10}},
            Standing(room_id=ROOM, is_joined=True, power=10),
        ),
        (
            "m.room.member",
            PERSON,
            {"membership": "ban"},
            Standing(room_id=ROOM, is_joined=False, power=50),
        ),
    ],
)
async def test_what_was_never_pushed_is_noticed_after_a_minute_and_kept(
    standings: Standings,
    stub: HomeserverStub,
    rooms: RoomStore,
    database: Database,
    clock: StillClock,
    kind: str,
    key: str,
    content: JSON,
    standing: Standing,
) -> None:
    await standings.of(PERSON, ROOM)
    stub.state[ROOM, kind, key] = content
    assert await standings.of(PERSON, ROOM) == MODERATOR
    await grow_old(database, clock)

    assert await standings.of(PERSON, ROOM) == standing
    footing = await rooms.standing(ROOM, PERSON)
    assert footing is not None
    assert footing.standing == standing


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502])
async def test_what_the_homeserver_does_not_tell_is_unknown(
    standings: Standings,
    stub: HomeserverStub,
    database: Database,
    clock: StillClock,
    status: int,
) -> None:
    await standings.of(PERSON, ROOM)
    await grow_old(database, clock)
    errcode = None if status == 502 else "M_FORBIDDEN"
    stub.fail(
        Failure(method="GET", contains="m.room.member", status=status, errcode=errcode, times=99)
    )

    assert await standings.of(PERSON, ROOM) == Standing.unknown(ROOM)


async def test_a_room_that_none_of_us_is_in_is_unknown(
    standings: Standings, stub: HomeserverStub
) -> None:
    elsewhere = RoomID("!elsewhere")

    assert await standings.of(PERSON, elsewhere) == Standing.unknown(elsewhere)


async def test_a_homeserver_that_is_away_is_asked_again_next_time(
    standings: Standings, stub: HomeserverStub, database: Database, clock: StillClock
) -> None:
    await standings.of(PERSON, ROOM)
    await grow_old(database, clock)
    stub.fail(Failure(method="GET", contains="power_levels", status=502, raw=b"<html>", times=1))

    assert await standings.of(PERSON, ROOM) == Standing.unknown(ROOM)
    assert await standings.of(PERSON, ROOM) == MODERATOR


async def test_a_room_that_was_dropped_is_read_again_whenever_it_was_looked_at(
    standings: Standings, stub: HomeserverStub, rooms: RoomStore
) -> None:
    await standings.of(PERSON, ROOM)
    await rooms.drop(ROOM)
    stub.state[ROOM, "m.room.power_levels", ""] = {}

    assert await standings.of(PERSON, ROOM) == MEMBER
