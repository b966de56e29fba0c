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
from lycatra_appservice.matrix.room_view import RoomView
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


async def apply(database: Database, known: RoomStore, *events: Mapping[str, JSON]) -> None:
    """As the way in does it, with what it stores."""
    async with database.transaction() as connection:
        await known.keep(connection, events)


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


async def test_a_room_that_is_still_shown_to_who_has_left_it_is_not_ours(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    seat(stub, {PERSON: "join", MAIN: "leave"})
    stub.add_room(ROOM, MAIN)  # as Synapse does, which shows it as it was then

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


async def test_members_are_followed(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    seat(stub, {PERSON: "join", MAIN: "join"})
    await known.view(ROOM)

    await apply(database, known, member(OTHER, "invite", "Otter"))
    await apply(database, known, member(UPDATES, "join"))
    assert (await known.view(ROOM)).people == {PERSON: "per", OTHER: "Otter"}
    assert (await known.view(ROOM)).ours == {MAIN, UPDATES}

    await apply(database, known, member(OTHER, "ban"))
    await apply(database, known, member(PERSON, "join", "Paul"))
    await apply(database, known, member(MAIN, "leave"))
    assert (await known.view(ROOM)).people == {PERSON: "Paul"}
    assert (await known.view(ROOM)).ours == {UPDATES}
    assert reads(stub) == 1


async def test_a_change_in_a_room_that_is_not_known_is_not_kept(
    known: RoomStore, database: Database
) -> None:
    for change in (member(PERSON, "join"), changed("name", {"name": "x"})):
        await apply(database, known, change)
    await apply(database, known, changed("encryption", {}))

    assert await query(database, "SELECT * FROM room") == []
    assert await query(database, "SELECT * FROM member") == []


async def test_what_changes_while_a_room_is_read_is_newer_than_what_is_read(
    known: RoomStore, stub: HomeserverStub, database: Database
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

    await apply(database, known, member(OTHER, "leave"))
    await apply(database, known, member(THIRD, "join", "Third"))
    await apply(database, known, changed("encryption", {}))
    await apply(database, known, changed("name", {"name": "Garden"}))
    go_on.set()

    async with asyncio.timeout(10):
        view = await reading
    assert view.people == {PERSON: "per", THIRD: "Third"}
    assert view.encrypted
    assert view.name == "Garden"


async def test_a_malformed_change_changes_nothing(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
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
        await apply(database, known, change)

    assert await known.view(ROOM) == before


async def test_malformed_power_levels_read_as_the_defaults(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    seat(stub, {PERSON: "join", MAIN: "join"})
    await known.view(ROOM)

    await apply(database, known, changed("power_levels", {"users": "\0", "invite": "many"}))

    power = (await known.view(ROOM)).power
    assert (power.of(PERSON), power.may_invite(PERSON)) == (0, True)
    assert not power.may_set(PERSON, "m.room.name")


async def test_names_are_kept_as_far_as_a_database_takes_them(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    odd = "a\0b\ud800\U0001f44d" + "x" * 1000
    seat(stub, {PERSON: "join", MAIN: "join"}, name={"name": odd})
    stub.state[ROOM, "m.room.member", PERSON] = {"membership": "join", "displayname": odd}
    kept = ("ab?\U0001f44d" + "x" * 1000)[:200]

    view = await known.view(ROOM)
    await apply(database, known, changed("name", {"name": f"new {odd}"}))
    await apply(database, known, member(OTHER, "join", odd))

    assert (view.name, view.people[PERSON]) == (kept, kept)
    renamed = await known.view(ROOM)
    assert renamed.name == f"new {kept}"[:200]
    assert renamed.people[OTHER] == kept


async def test_a_room_is_forgotten_when_the_last_of_us_has_left(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    seat(stub, {PERSON: "join", MAIN: "join", UPDATES: "join"})
    await known.view(ROOM)

    await apply(database, known, member(MAIN, "leave"))
    await known.drop_if_left(ROOM)
    assert len(await query(database, "SELECT * FROM room")) == 1

    await apply(database, known, member(UPDATES, "ban"))
    await known.drop_if_left(ROOM)
    assert await query(database, "SELECT * FROM room") == []
    assert await query(database, "SELECT * FROM member") == []


async def test_a_dropped_room_is_read_anew(known: RoomStore, stub: HomeserverStub) -> None:
    seat(stub, {PERSON: "join", MAIN: "join"})
    await known.view(ROOM)
    stub.state[ROOM, "m.room.member", OTHER] = {"membership": "join"}

    await known.drop(ROOM)

    assert (await known.view(ROOM)).people.keys() == {PERSON, OTHER}


# Readings that overlap


def old_state(stub: HomeserverStub) -> Failure:
    """An answer with the state as it is now, which arrives when `hang` is set."""
    state = [
        {"type": kind, "state_key": key, "content": content}
        for (_, kind, key), content in stub.state.items()
    ]
    answer = json.dumps(state).encode()
    slow = Failure(method="GET", contains="/state", status=200, hang=asyncio.Event(), raw=answer)
    return stub.fail(slow)


async def test_a_reading_that_fails_does_not_spoil_another_one(
    known: RoomStore, stub: HomeserverStub, database: Database, client: MatrixClient
) -> None:
    seat(stub, {PERSON: "join", OTHER: "join", MAIN: "join"})
    elsewhere = RoomStore(database, client, USERS)
    slow = old_state(stub)
    reading = asyncio.create_task(known.view(ROOM))
    await until_true(lambda: reads(stub) == 1)
    stub.fail(Failure(method="GET", contains="/state", status=502, raw=b""))
    with pytest.raises(HomeserverUnavailableError):
        await elsewhere.view(ROOM)

    await apply(database, known, member(OTHER, "leave"))
    stub.state[ROOM, "m.room.member", OTHER] = {"membership": "leave"}
    assert slow.hang is not None
    slow.hang.set()

    async with asyncio.timeout(10):
        assert (await reading).people == {PERSON: "per"}


async def test_what_was_read_of_a_room_that_was_dropped_meanwhile_is_not_kept(
    known: RoomStore, stub: HomeserverStub, database: Database, client: MatrixClient
) -> None:
    seat(stub, {PERSON: "join", OTHER: "join", MAIN: "join"})
    slow = old_state(stub)
    reading = asyncio.create_task(known.view(ROOM))
    await until_true(lambda: reads(stub) == 1)

    stub.state[ROOM, "m.room.member", OTHER] = {"membership": "leave"}
    await known.drop(ROOM)
    assert (await RoomStore(database, client, USERS).view(ROOM)).people == {PERSON: "per"}
    assert slow.hang is not None
    slow.hang.set()

    async with asyncio.timeout(10):
        assert (await reading).people == {PERSON: "per"}


async def test_what_a_crashed_reader_has_kept_is_not_believed(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    await query(
        database,
        "INSERT INTO room (id, membership, reading, state_at) "
        "VALUES (:room, 'reading', 'gone', lycatra_now() - 3600000)",
        room=ROOM,
    )
    await apply(database, known, member(OTHER, "join"))
    seat(stub, {PERSON: "join", MAIN: "join"})

    assert (await known.view(ROOM)).people == {PERSON: "per"}


async def test_whoever_reads_a_room_whole_says_so_once(
    database: Database, client: MatrixClient, stub: HomeserverStub
) -> None:
    read: list[RoomID] = []

    async def note(room: RoomView) -> None:
        read.append(room.room_id)

    stores = [RoomStore(database, client, USERS, note) for _ in range(5)]
    seat(stub, {PERSON: "join", MAIN: "join"})

    async with asyncio.timeout(20):
        await asyncio.gather(*(store.view(ROOM) for store in stores))
    await stores[0].view(ROOM)

    assert read == [ROOM]


# Coming and going


async def test_who_was_sent_away_is_gone_until_let_in_again(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    seat(stub, {PERSON: "join", MAIN: "join", UPDATES: "join"})
    await known.view(ROOM)

    async def gone_after(membership: str, sender: UserID) -> frozenset[UserID]:
        await apply(database, known, {**member(UPDATES, membership), "sender": sender})
        return (await known.view(ROOM)).gone

    assert await gone_after("leave", UPDATES) == frozenset()
    assert await gone_after("invite", PERSON) == frozenset()
    assert await gone_after("leave", PERSON) == {UPDATES}
    assert await gone_after("invite", OTHER) == {UPDATES}  # and refused, because OTHER may not
    assert await gone_after("leave", UPDATES) == {UPDATES}
    assert await gone_after("join", UPDATES) == frozenset()
    assert await gone_after("ban", PERSON) == {UPDATES}


async def test_a_room_without_people_is_deserted_only_if_there_were_some(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    table: list[tuple[dict[str, str], bool]] = [
        ({MAIN: "join"}, False),
        ({MAIN: "join", UPDATES: "leave"}, False),
        ({PERSON: "leave", MAIN: "join"}, True),
        ({PERSON: "ban", MAIN: "join"}, True),
        ({PERSON: "leave", OTHER: "invite", MAIN: "join"}, False),
        ({PERSON: "leave", OTHER: "join", MAIN: "join"}, False),
    ]
    for n, (members, is_deserted) in enumerate(table):
        seat(stub, members, f"!room{n}")
        view = await known.view(RoomID(f"!room{n}"))

        assert view.is_deserted is is_deserted, members
        assert await known.has_people(view.room_id) is bool(view.people)


async def test_rooms_that_lead_to_another_one_are_known(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    new = RoomID("!new")
    seat(stub, {PERSON: "join", MAIN: "join"}, tombstone={"replacement_room": "!other"})
    seat(stub, {PERSON: "join", MAIN: "join"}, "!second", tombstone={"replacement_room": new})
    assert await known.rooms_upgraded_to(new) == []
    await known.view(ROOM)
    await known.view(RoomID("!second"))
    assert await known.rooms_upgraded_to(new) == ["!second"]

    await apply(database, known, changed("tombstone", {"replacement_room": new}))
    await apply(database, known, changed("tombstone", {"replacement_room": "!x"}, "another key"))
    assert await known.rooms_upgraded_to(new) == [ROOM, "!second"]


async def test_settings_are_carried_over_and_never_over_others(
    known: RoomStore, database: Database
) -> None:
    put = (
        "INSERT INTO room_settings (room, chosen, set_by, at) "
        "VALUES (:room, :chosen, '@person:hs.test', 7)"
    )
    await query(database, put, room=ROOM, chosen='{"reply": "plain"}')

    async def chosen_in(room: RoomID) -> list[str]:
        rows = await query(
            database, "SELECT chosen FROM room_settings WHERE room = :room", room=room
        )
        return [row["chosen"] for row in rows]

    new, own = RoomID("!new"), RoomID("!own")
    await query(database, put, room=own, chosen='{"reply": "thread"}')
    for _ in range(2):
        await known.carry_settings_over(ROOM, new)
        await known.carry_settings_over(ROOM, own)
        await known.carry_settings_over(RoomID("!none"), RoomID("!nothing"))

    assert await chosen_in(new) == ['{"reply": "plain"}']
    assert await chosen_in(own) == ['{"reply": "thread"}']
    assert await chosen_in(RoomID("!nothing")) == []


# Encryption


async def test_encryption_is_seen_in_the_state_and_when_it_is_turned_on(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    seat(stub, {PERSON: "join", MAIN: "join"})
    assert not (await known.view(ROOM)).encrypted
    assert not await known.is_encrypted(ROOM)

    await apply(database, known, changed("encryption", {"algorithm": "m.megolm.v1"}))

    assert (await known.view(ROOM)).encrypted
    assert await known.is_encrypted(ROOM)


async def test_a_room_that_is_not_known_is_looked_at_before_anything_is_said_there(
    known: RoomStore, stub: HomeserverStub
) -> None:
    seat(stub, {PERSON: "join", UPDATES: "join"}, encryption={"algorithm": "m.megolm.v1"})

    assert await known.is_encrypted(ROOM)


async def test_where_nobody_of_us_may_look_nothing_may_be_said(known: RoomStore) -> None:
    with pytest.raises(MatrixError) as refused:
        await known.is_encrypted(ROOM)
    assert refused.value.status == 403


async def test_while_the_homeserver_is_away_nobody_knows(
    known: RoomStore, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="GET", contains="/state", status=502, raw=b""))

    with pytest.raises(HomeserverUnavailableError):
        await known.is_encrypted(ROOM)


# Crowds


async def test_a_crowd_is_remembered_until_its_members_change(
    known: RoomStore, stub: HomeserverStub, database: Database
) -> None:
    seat(stub, {PERSON: "join", OTHER: "join", THIRD: "invite", MAIN: "join"})
    assert not known.is_crowd(ROOM)  # when in doubt: no

    await known.view(ROOM)
    assert known.is_crowd(ROOM)

    await apply(database, known, member(THIRD, "leave"))
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

        await apply(opened.database, seen_there, member(THIRD, "leave"))
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


async def test_whether_a_turn_has_brought_one_of_us_in_is_known(
    known: RoomStore, database: Database
) -> None:
    await query(
        database,
        "INSERT INTO turn (lane, trigger_id, run_at, created_at, input) "
        "VALUES ('job|join|!room', '$invite', 0, 0, '{}')",
    )
    for n, (user, sent_at) in enumerate([(MAIN, 7), (UPDATES, None)]):
        await query(
            database,
            "INSERT INTO send "
            "(turn_id, n, trigger_id, kind, room, sender, txn_id, content, sent_at) "
            "SELECT id, CAST(:n AS integer), trigger_id, 'join', CAST(:room AS text), "
            "CAST(:sender AS text), CAST(:txn AS text), '{}', CAST(:sent_at AS bigint) FROM turn",
            n=n,
            room=ROOM,
            sender=user,
            txn=f"txn{n}",
            sent_at=sent_at,
        )

    assert await known.was_let_in(ROOM, MAIN, "$invite")
    assert not await known.was_let_in(ROOM, UPDATES, "$invite")
    assert not await known.was_let_in(RoomID("!other"), MAIN, "$invite")
    assert not await known.was_let_in(ROOM, MAIN, "$other")
