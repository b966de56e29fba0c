"""What we know of the rooms we are in, on both databases."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from pydantic import SecretStr

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.open import open_database
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import HomeserverUnavailableError, MatrixError
from lycatra_appservice.matrix.rooms import ROOM_CHANNEL, RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, EventID, RoomID, UserID
from tests.support.homeserver_stub import (
    AS_TOKEN,
    Failure,
    HomeserverStub,
    running_homeserver_stub,
)
from tests.support.scene import NAMESPACES
from tests.support.turns import query, until_true

ROOM = RoomID("!room-of-version-12")
USERS = VirtualUsers(server_name="hs.test", namespaces=NAMESPACES)
MAIN, UPDATES = USERS.main, USERS.of("updates")
PERSON, OTHER, THIRD = (UserID(f"@{name}:hs.test") for name in ("person", "other", "third"))


@pytest.fixture
async def stub() -> AsyncIterator[HomeserverStub]:
    async with running_homeserver_stub() as running:
        for user in USERS.all:
            running.add_user(user)
        yield running


@pytest.fixture
async def client(stub: HomeserverStub) -> AsyncIterator[MatrixClient]:
    async with aiohttp.ClientSession() as session:
        yield MatrixClient(session, stub.url, SecretStr(AS_TOKEN))


@pytest.fixture
def known(database: Database, client: MatrixClient) -> RoomStore:
    return RoomStore(database, client, USERS)


def seat(
    stub: HomeserverStub, members: Mapping[str, str], room_id: str = ROOM, **state: JSON
) -> None:
    """A room whose state says this; memberships by user."""
    joined = [user for user, membership in members.items() if membership == "join"]
    stub.add_room(room_id, *joined)
    for user, membership in members.items():
        content = {"membership": membership, "displayname": user[1:4]}
        stub.state[room_id, "m.room.member", user] = content
    for kind, content in state.items():
        stub.state[room_id, f"m.room.{kind}", ""] = content


def changed(kind: str, content: JSON, key: str = "") -> dict[str, JSON]:
    return {"type": f"m.room.{kind}", "room_id": ROOM, "state_key": key, "content": content}


def member(user: str, membership: JSON, name: JSON = None) -> dict[str, JSON]:
    return changed("member", {"membership": membership, "displayname": name}, user)


def reads(stub: HomeserverStub) -> int:
    return len(stub.asked("GET", "/state"))


async def test_a_room_that_is_not_known_is_read_once(
    known: RoomStore, stub: HomeserverStub
) -> None:
    seat(
        stub,
        {PERSON: "join", OTHER: "invite", THIRD: "leave", MAIN: "join", UPDATES: "invite"},
        name={"name": "Kitchen"},
    )

    view = await known.view(ROOM, MAIN)

    assert view.room_id == ROOM
    assert view.name == "Kitchen"
    assert not view.encrypted
    assert view.people == {PERSON: "per", OTHER: "oth"}
    assert view.ours == {MAIN}
    assert not view.is_direct
    assert await known.view(ROOM, MAIN) == view
    assert reads(stub) == 1


async def test_a_dm_is_a_room_with_one_person(known: RoomStore, stub: HomeserverStub) -> None:
    table: list[tuple[dict[str, str], bool]] = [
        ({PERSON: "join", MAIN: "join"}, True),
        ({PERSON: "join", MAIN: "join", UPDATES: "join"}, True),
        ({PERSON: "join", UPDATES: "join"}, True),
        ({PERSON: "invite", MAIN: "join"}, True),
        ({PERSON: "join", OTHER: "leave", MAIN: "join"}, True),
        ({PERSON: "join", OTHER: "ban", MAIN: "join"}, True),
        ({PERSON: "join", OTHER: "invite", MAIN: "join"}, False),
        ({MAIN: "join", UPDATES: "join"}, False),
    ]
    for n, (members, is_direct) in enumerate(table):
        seat(stub, members, f"!room{n}")

        assert (await known.view(RoomID(f"!room{n}"))).is_direct is is_direct, members


async def test_a_room_is_read_as_whoever_of_us_is_in_it(
    known: RoomStore, stub: HomeserverStub
) -> None:
    seat(stub, {PERSON: "join", UPDATES: "join"})

    assert (await known.view(ROOM, MAIN)).ours == {UPDATES}
    assert [seen.user for seen in stub.asked("GET", "/state")][:1] == [MAIN]


async def test_who_is_probably_there_is_asked_first(
    known: RoomStore, stub: HomeserverStub
) -> None:
    seat(stub, {PERSON: "join", UPDATES: "join"})

    await known.view(ROOM, UPDATES)

    assert [seen.user for seen in stub.asked("GET", "/state")] == [UPDATES]


async def test_a_room_without_us_is_refused_and_leaves_nothing_behind(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    seat(stub, {PERSON: "join"})

    with pytest.raises(MatrixError):
        await known.view(ROOM, MAIN)

    assert await query(database, "SELECT * FROM room") == []


async def test_a_homeserver_that_is_away_is_not_taken_for_a_refusal(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    seat(stub, {PERSON: "join", UPDATES: "join"})
    stub.fail(Failure(method="GET", contains="/state", status=502, raw=b"", user=UPDATES))

    with pytest.raises(HomeserverUnavailableError):
        await known.view(ROOM)

    assert await query(database, "SELECT * FROM room") == []


async def test_two_who_read_a_room_at_once_know_the_same(
    known: RoomStore, stub: HomeserverStub
) -> None:
    seat(stub, {PERSON: "join", MAIN: "join"})

    async with asyncio.timeout(20):
        views = await asyncio.gather(*(known.view(ROOM) for _ in range(5)))

    assert views == [views[0]] * 5


async def test_members_are_followed(known: RoomStore, stub: HomeserverStub) -> None:
    seat(stub, {PERSON: "join", MAIN: "join"})
    await known.view(ROOM)

    await known.apply(member(OTHER, "invite", "Otter"))
    await known.apply(member(UPDATES, "join"))
    assert (await known.view(ROOM)).people == {PERSON: "per", OTHER: "Otter"}
    assert (await known.view(ROOM)).ours == {MAIN, UPDATES}

    await known.apply(member(OTHER, "ban"))
    await known.apply(member(PERSON, "join", "Paul"))
    await known.apply(member(MAIN, "leave"))
    assert (await known.view(ROOM)).people == {PERSON: "Paul"}
    assert (await known.view(ROOM)).ours == {UPDATES}
    assert reads(stub) == 1


async def test_a_change_in_a_room_that_is_not_known_is_not_kept(
    known: RoomStore, database: Database
) -> None:
    for change in (member(PERSON, "join"), changed("name", {"name": "x"})):
        await known.apply(change)
    await known.apply(changed("encryption", {}))

    assert await query(database, "SELECT * FROM room") == []
    assert await query(database, "SELECT * FROM member") == []


async def test_what_changes_while_a_room_is_read_is_newer_than_what_is_read(
    known: RoomStore, stub: HomeserverStub
) -> None:
    seat(stub, {PERSON: "join", OTHER: "join", MAIN: "join"}, name={"name": "Kitchen"})
    go_on = asyncio.Event()
    # The state is taken now and arrives only when the changes have been pushed.
    old = [
        {"type": kind, "state_key": key, "content": content}
        for (_, kind, key), content in stub.state.items()
    ]
    slow = Failure(
        method="GET", contains="/state", status=200, hang=go_on, raw=json.dumps(old).encode()
    )
    stub.fail(slow)
    reading = asyncio.create_task(known.view(ROOM))
    await until_true(lambda: reads(stub) > 0)

    await known.apply(member(OTHER, "leave"))
    await known.apply(member(THIRD, "join", "Third"))
    await known.apply(changed("encryption", {}))
    await known.apply(changed("name", {"name": "Garden"}))
    go_on.set()

    async with asyncio.timeout(10):
        view = await reading
    assert view.people == {PERSON: "per", THIRD: "Third"}
    assert view.encrypted
    assert view.name == "Garden"


async def test_a_malformed_change_changes_nothing(known: RoomStore, stub: HomeserverStub) -> None:
    seat(stub, {PERSON: "join", MAIN: "join"})
    before = await known.view(ROOM)

    for change in (
        member("@nul\0:hs.test", "join"),
        member("", "join"),
        member("@lone\ud800:hs.test", "join"),
        member(OTHER, 7),
        member(OTHER, None),
        changed("member", "x", OTHER),
        changed("name", {"name": {"a": 1}}),
        changed("name", []),
        changed("join_rules", {"join_rule": {"a": 1}}),
        changed("tombstone", {"replacement_room": "\0"}),
    ):
        await known.apply(change)

    assert await known.view(ROOM) == before


async def test_malformed_power_levels_read_as_the_defaults(
    known: RoomStore, stub: HomeserverStub
) -> None:
    seat(stub, {PERSON: "join", MAIN: "join"})
    await known.view(ROOM)

    await known.apply(changed("power_levels", {"users": "\0", "invite": "many"}))

    power = (await known.view(ROOM)).power
    assert (power.of(PERSON), power.may_invite(PERSON)) == (0, True)
    assert not power.may_set(PERSON, "m.room.name")


async def test_names_are_kept_as_far_as_a_database_takes_them(
    known: RoomStore, stub: HomeserverStub
) -> None:
    odd = "a\0b\ud800\U0001f44d" + "x" * 1000
    seat(stub, {PERSON: "join", MAIN: "join"}, name={"name": odd})
    stub.state[ROOM, "m.room.member", PERSON] = {"membership": "join", "displayname": odd}
    kept = ("ab?\U0001f44d" + "x" * 1000)[:200]

    view = await known.view(ROOM)
    await known.apply(changed("name", {"name": f"new {odd}"}))
    await known.apply(member(OTHER, "join", odd))

    assert (view.name, view.people[PERSON]) == (kept, kept)
    renamed = await known.view(ROOM)
    assert renamed.name == f"new {kept}"[:200]
    assert renamed.people[OTHER] == kept


async def test_a_room_is_forgotten_when_the_last_of_us_has_left(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    seat(stub, {PERSON: "join", MAIN: "join", UPDATES: "join"})
    await known.view(ROOM)

    await known.apply(member(MAIN, "leave"))
    await known.drop_if_left(ROOM)
    assert len(await query(database, "SELECT * FROM room")) == 1

    await known.apply(member(UPDATES, "ban"))
    await known.drop_if_left(ROOM)
    assert await query(database, "SELECT * FROM room") == []
    assert await query(database, "SELECT * FROM member") == []


async def test_a_dropped_room_is_read_anew(known: RoomStore, stub: HomeserverStub) -> None:
    seat(stub, {PERSON: "join", MAIN: "join"})
    await known.view(ROOM)
    stub.state[ROOM, "m.room.member", OTHER] = {"membership": "join"}

    await known.drop(ROOM)

    assert (await known.view(ROOM)).people.keys() == {PERSON, OTHER}


# Encryption


async def test_encryption_is_seen_in_the_state_and_when_it_is_turned_on(
    known: RoomStore, stub: HomeserverStub
) -> None:
    seat(stub, {PERSON: "join", MAIN: "join"})
    assert not (await known.view(ROOM)).encrypted
    assert not await known.is_encrypted(ROOM)

    await known.apply(changed("encryption", {"algorithm": "m.megolm.v1"}))

    assert (await known.view(ROOM)).encrypted
    assert await known.is_encrypted(ROOM)


async def test_a_room_that_is_not_known_is_looked_at_before_anything_is_said_there(
    known: RoomStore, stub: HomeserverStub
) -> None:
    seat(stub, {PERSON: "join", UPDATES: "join"}, encryption={"algorithm": "m.megolm.v1"})

    assert await known.is_encrypted(ROOM)


async def test_a_room_that_may_not_be_looked_at_counts_as_encrypted(known: RoomStore) -> None:
    assert await known.is_encrypted(ROOM)


async def test_while_the_homeserver_is_away_nobody_knows(
    known: RoomStore, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="GET", contains="/state", status=502, raw=b""))

    with pytest.raises(HomeserverUnavailableError):
        await known.is_encrypted(ROOM)


# Crowds


async def test_a_crowd_is_remembered_until_its_members_change(
    known: RoomStore, stub: HomeserverStub
) -> None:
    seat(stub, {PERSON: "join", OTHER: "join", THIRD: "invite", MAIN: "join"})
    assert not known.is_crowd(ROOM)  # when in doubt: no

    await known.view(ROOM)
    assert known.is_crowd(ROOM)

    await known.apply(member(THIRD, "leave"))
    assert not known.is_crowd(ROOM)
    await known.view(ROOM)
    assert not known.is_crowd(ROOM)


async def test_a_crowd_that_another_replica_saw_shrink_is_no_crowd_here_either(
    database: Database, database_url: str, stub: HomeserverStub, client: MatrixClient
) -> None:
    opened = await open_database(database_url)
    seen_there = RoomStore(opened.database, client, USERS)
    here = RoomStore(opened.database, client, USERS)
    opened.signals.listen(ROOM_CHANNEL, here.forget_hinted)
    listening = asyncio.create_task(opened.signals.run())
    try:
        await until_true(lambda: opened.signals.connected)
        seat(stub, {PERSON: "join", OTHER: "join", THIRD: "join", MAIN: "join"})
        await here.view(ROOM)
        assert here.is_crowd(ROOM)

        await seen_there.apply(member(THIRD, "leave"))
        await until_true(lambda: not here.is_crowd(ROOM))
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await opened.database.close()


async def test_crowds_are_recalled_from_the_database_without_asking_anybody(
    known: RoomStore, stub: HomeserverStub, database: Database, client: MatrixClient
) -> None:
    seat(stub, {PERSON: "join", OTHER: "join", THIRD: "join", MAIN: "join"})
    await known.view(ROOM)
    restarted = RoomStore(database, client, USERS)

    await restarted.recall([ROOM, RoomID("!unknown"), ROOM])

    assert restarted.is_crowd(ROOM)
    assert not restarted.is_crowd(RoomID("!unknown"))
    assert reads(stub) == 1


# What we said


async def test_who_of_us_said_something_is_known(known: RoomStore, database: Database) -> None:
    await query(
        database,
        "INSERT INTO turn (lane, trigger_id, run_at, created_at, input) "
        "VALUES ('!room|ask', '$question', 0, 0, '{}')",
    )
    await query(
        database,
        "INSERT INTO send (turn_id, n, trigger_id, kind, room, sender, txn_id, content, event_id) "
        "SELECT id, 0, trigger_id, 'message', '!room', :sender, 'txn', '{}', '$answer' FROM turn",
        sender=UPDATES,
    )

    assert await known.speaker_of(EventID("$answer")) == UPDATES
    assert await known.speaker_of(EventID("$question")) is None
    assert await known.speaker_of(None) is None
    assert await known.answers_in(EventID("$question"))
    assert await known.answers_in(EventID("$answer"))
    assert not await known.answers_in(EventID("$other"))
    assert not await known.answers_in(None)


async def test_of_all_who_want_to_say_something_once_one_does(known: RoomStore) -> None:
    async with asyncio.timeout(20):
        firsts = await asyncio.gather(*(known.say_once("greeting", f"${n}") for n in range(10)))

    assert sorted(firsts) == [False] * 9 + [True]
    assert await known.say_once("another", "$0")
    assert await known.say_once("another", "$0")  # it crashed before it could say it
