"""The unencrypted direct room with a person: one, whoever asks for it and however often."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import aiohttp
import pytest
from pydantic import SecretStr

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.direct_rooms import DirectRooms, NoDirectRoomError
from lycatra_appservice.matrix.errors import HomeserverUnavailableError, TryLaterError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import RoomID, UserID
from tests.support.homeserver_stub import (
    AS_TOKEN,
    SERVER_NAME,
    Failure,
    HomeserverStub,
    running_homeserver_stub,
)

USERS = VirtualUsers(server_name=SERVER_NAME, namespaces=[])
MAIN = USERS.main
PERSON, OTHER = UserID("@person:hs.test"), UserID("@other:hs.test")
REMOTE = UserID("@person:elsewhere.org")
ENCRYPTION = {"algorithm": "m.megolm.v1.aes-sha2"}


@pytest.fixture
async def stub() -> AsyncIterator[HomeserverStub]:
    async with running_homeserver_stub() as running:
        running.add_user(MAIN)
        yield running


@pytest.fixture
async def client(stub: HomeserverStub) -> AsyncIterator[MatrixClient]:
    async with aiohttp.ClientSession() as session:
        yield MatrixClient(session, stub.url, SecretStr(AS_TOKEN))


async def knows_none(_: UserID) -> Sequence[RoomID]:
    return []


@pytest.fixture
def direct(client: MatrixClient) -> DirectRooms:
    return DirectRooms(client, USERS, knows_none)


def happens(stub: HomeserverStub, room_id: str, user: str, membership: str) -> None:
    """Somebody came or went."""
    stub.rooms[room_id].members[user] = membership
    stub.state[room_id, "m.room.member", user] = {"membership": membership}


def made(stub: HomeserverStub) -> int:
    return len(stub.asked("POST", "/createRoom"))


async def test_the_room_is_direct_unencrypted_and_the_person_is_admin_in_it(
    direct: DirectRooms, stub: HomeserverStub
) -> None:
    room_id = await direct.open(PERSON)

    assert stub.state[room_id, "m.room.member", PERSON] == {
        "membership": "invite",
        "is_direct": True,
    }
    assert stub.state[room_id, "m.room.power_levels", ""]["users"] == {MAIN: 100, PERSON: 100}
    assert (room_id, "m.room.encryption", "") not in stub.state
    [asked] = stub.asked("POST", "/createRoom")
    assert asked.json["name"] == "Lycatra"
    assert asked.json["room_alias_name"].startswith("lycatra_dm_")
    assert PERSON.partition(":")[0] not in asked.json["room_alias_name"]


async def test_it_is_found_again_and_each_person_has_another(
    direct: DirectRooms, stub: HomeserverStub, client: MatrixClient
) -> None:
    first = await direct.open(PERSON)
    happens(stub, first, PERSON, "join")

    assert await direct.open(PERSON) == first
    # With nothing remembered, as after a lost database.
    assert await DirectRooms(client, USERS, knows_none).open(PERSON) == first
    assert await direct.open(OTHER) != first
    assert made(stub) == 2


async def test_two_replicas_that_open_it_at_once_open_one(
    direct: DirectRooms, stub: HomeserverStub, client: MatrixClient
) -> None:
    others = [DirectRooms(client, USERS, knows_none) for _ in range(3)]
    async with asyncio.timeout(20):
        rooms = await asyncio.gather(*(each.open(PERSON) for each in [direct, *others]))

    assert len(set(rooms)) == 1
    assert len(stub.aliases) == 1


async def test_a_crash_before_the_invitation_is_made_good(
    direct: DirectRooms, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="PUT", contains="m.room.power_levels", status=502, raw=b""))
    with pytest.raises(HomeserverUnavailableError):
        await direct.open(PERSON)

    room_id = await direct.open(PERSON)

    assert stub.rooms[room_id].members == {MAIN: "join", PERSON: "invite"}
    assert stub.state[room_id, "m.room.power_levels", ""]["users"][PERSON] == 100
    assert made(stub) == 1


async def test_who_has_left_is_asked_in_once_more_and_then_left_in_peace(
    direct: DirectRooms, stub: HomeserverStub
) -> None:
    room_id = await direct.open(PERSON)
    happens(stub, room_id, PERSON, "leave")

    assert await direct.open(PERSON) == room_id
    assert stub.rooms[room_id].members[PERSON] == "invite"

    happens(stub, room_id, PERSON, "leave")
    with pytest.raises(NoDirectRoomError):
        await direct.open(PERSON)
    assert stub.rooms[room_id].members[PERSON] == "leave"
    assert made(stub) == 1


@pytest.mark.parametrize("kind", ["m.room.encryption", "m.room.tombstone"])
async def test_a_room_that_was_encrypted_or_upgraded_later_is_followed_by_another(
    direct: DirectRooms, stub: HomeserverStub, kind: str
) -> None:
    first = await direct.open(PERSON)
    happens(stub, first, PERSON, "join")
    stub.state[first, kind, ""] = {"replacement_room": "!x"}

    second = await direct.open(PERSON)

    assert second != first
    assert await direct.open(PERSON) == second
    assert first in stub.rooms


async def test_a_room_where_others_are_or_we_are_not_is_followed_by_another(
    direct: DirectRooms, stub: HomeserverStub
) -> None:
    first = await direct.open(PERSON)
    happens(stub, first, OTHER, "invite")
    second = await direct.open(PERSON)
    assert second != first

    happens(stub, second, MAIN, "ban")
    assert await direct.open(PERSON) not in {first, second}


async def test_nobody_gets_rooms_without_end(direct: DirectRooms, stub: HomeserverStub) -> None:
    for _ in range(5):
        happens(stub, await direct.open(PERSON), MAIN, "leave")

    for _ in range(3):
        with pytest.raises(NoDirectRoomError):
            await direct.open(PERSON)
    assert made(stub) == 5


async def test_a_homeserver_that_encrypts_every_room_leaves_nobody_an_invitation(
    direct: DirectRooms, stub: HomeserverStub
) -> None:
    stub.encrypts_new_rooms = True

    for _ in range(2):
        with pytest.raises(NoDirectRoomError) as refused:
            await direct.open(PERSON)
        assert refused.value.encrypted_by_default
    assert all(PERSON not in room.members for room in stub.rooms.values())
    assert all(room.members == {MAIN: "leave"} for room in stub.rooms.values())
    assert stub.aliases == {}

    stub.encrypts_new_rooms = False  # the admin has changed it
    assert stub.rooms[await direct.open(PERSON)].members[PERSON] == "invite"


async def test_too_many_new_rooms_are_tried_again_later(
    direct: DirectRooms, stub: HomeserverStub
) -> None:
    stub.fail(
        Failure(
            method="POST",
            contains="/createRoom",
            status=429,
            errcode="M_LIMIT_EXCEEDED",
            more={"retry_after_ms": 60_000},
        )
    )
    with pytest.raises(TryLaterError) as limited:
        await direct.open(PERSON)
    assert limited.value.retry_after is not None
    await direct.open(PERSON)
    assert made(stub) == 2
    assert len(stub.rooms) == 1


async def test_a_refusal_is_no_direct_room_and_a_token_being_exchanged_is_no_refusal(
    direct: DirectRooms, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="POST", contains="/createRoom", status=403, errcode="M_FORBIDDEN"))
    with pytest.raises(NoDirectRoomError) as refused:
        await direct.open(PERSON)
    assert not refused.value.encrypted_by_default
    stub.fail(Failure(method="GET", contains="/state", status=401, errcode="M_UNKNOWN_TOKEN"))
    with pytest.raises(TryLaterError):
        await direct.open(PERSON)


async def test_a_person_who_cannot_be_invited_gets_none(
    direct: DirectRooms, stub: HomeserverStub
) -> None:
    unreachable = Failure(
        method="PUT", contains="m.room.member", status=502, errcode="M_UNKNOWN", times=2
    )
    stub.fail(unreachable)
    with pytest.raises(NoDirectRoomError):  # their homeserver is away, perhaps for ever
        await direct.open(REMOTE)
    with pytest.raises(TryLaterError):  # ours will be back
        await direct.open(PERSON)
    stub.fail(
        Failure(method="PUT", contains="m.room.member", status=403, errcode="M_INVITE_BLOCKED")
    )
    with pytest.raises(NoDirectRoomError):
        await direct.open(OTHER)


async def test_a_device_that_was_deleted_is_made_again(
    direct: DirectRooms, stub: HomeserverStub
) -> None:
    stub.devices.clear()

    assert stub.rooms[await direct.open(PERSON)].members[PERSON] == "invite"


# The person's own room


def seat(stub: HomeserverStub, room_id: str, **members: str) -> None:
    people = {"person": PERSON, "other": OTHER, "main": MAIN}
    stub.add_room(room_id)
    for name, membership in members.items():
        happens(stub, room_id, people[name], membership)


async def test_a_direct_room_that_the_person_made_is_used(
    stub: HomeserverStub, client: MatrixClient
) -> None:
    seat(stub, "!encrypted", person="join", main="join")
    stub.state["!encrypted", "m.room.encryption", ""] = ENCRYPTION
    seat(stub, "!group", person="join", main="join", other="invite")
    seat(stub, "!left", person="leave", main="join")
    seat(stub, "!without_us", person="join", main="leave")
    seat(stub, "!theirs", person="join", main="join")

    async def knows_all(_: UserID) -> Sequence[RoomID]:
        return [RoomID(room_id) for room_id in stub.rooms]

    assert await DirectRooms(client, USERS, knows_all).open(PERSON) == "!theirs"
    assert made(stub) == 0


async def test_the_room_that_was_opened_first_stays_the_one(
    direct: DirectRooms, stub: HomeserverStub, client: MatrixClient
) -> None:
    room_id = await direct.open(PERSON)
    happens(stub, room_id, PERSON, "join")
    seat(stub, "!theirs", person="join", main="join")

    async def knows_theirs(_: UserID) -> Sequence[RoomID]:
        return [RoomID("!theirs")]

    assert await DirectRooms(client, USERS, knows_theirs).open(PERSON) == room_id
