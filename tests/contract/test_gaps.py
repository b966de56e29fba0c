"""The gap check: what the homeserver never pushed is found and stored, on both databases."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
import pytest
from pydantic import SecretStr

from lycatra_appservice.chat.commands import CommandWords
from lycatra_appservice.chat.reading import make_reader
from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.intake.classify import Classifier
from lycatra_appservice.intake.found import FoundEventStore
from lycatra_appservice.intake.receiving import Receiving
from lycatra_appservice.intake.sorter import EventSorter
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.crypto.raw_inbox import RawInbox
from lycatra_appservice.matrix.gaps import GapCheck
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, RoomID, UserID
from lycatra_appservice.turns.inbox import Inbox
from tests.support.homeserver_stub import (
    AS_TOKEN,
    Failure,
    HomeserverStub,
    running_homeserver_stub,
)
from tests.support.scene import NAMESPACES, TOOLS
from tests.support.turns import query, turn_states

ROOM = RoomID("!room-of-version-12")
# One user beside @lycatra, so that each check is two answers.
USERS = VirtualUsers(server_name="hs.test", namespaces=NAMESPACES[-1:])
MAIN, UPDATES = USERS.all
PERSON = UserID("@person:hs.test")


@dataclass
class Figures:
    checks: list[tuple[int, int]] = field(default_factory=list)

    def gaps_checked(self, found: int, ours: int) -> None:
        self.checks.append((found, ours))


@dataclass
class Watch:
    """The check with what it looks at and writes to."""

    stub: HomeserverStub
    database: UpgradableDatabase
    gaps: GapCheck
    inbox: Inbox
    sorter: EventSorter
    rooms: RoomStore
    figures: Figures

    async def check(self, main: JSON = None, updates: JSON = None) -> None:
        """Check once; the answers to the two users' /sync, without their tokens."""
        answers = [answer or {} for answer in (main, updates)]
        self.stub.syncs += [{"next_batch": self.stub.new_id(), **answer} for answer in answers]
        async with asyncio.timeout(20):
            await self.gaps.check()

    async def begin(self) -> None:
        """The first run, which only sets the mark."""
        await self.check()

    async def push(self, *events: JSON) -> None:
        found = self.sorter.sort(events, via="push")
        await self.inbox.store(found.triggers, alongside=found.alongside)

    async def stored(self) -> Sequence[str]:
        return list(await turn_states(self.database))

    async def marks(self) -> Mapping[str, str]:
        rows = await query(self.database, "SELECT user_id, next_batch FROM ghost")
        return {row["user_id"]: row["next_batch"] for row in rows}

    def asked(self, contains: str) -> Sequence[Mapping[str, str]]:
        return [seen.query for seen in self.stub.asked("GET", contains)]


@pytest.fixture
async def watch(database: UpgradableDatabase) -> AsyncIterator[Watch]:
    async with running_homeserver_stub() as stub, aiohttp.ClientSession() as session:
        for user in USERS.all:
            stub.add_user(user)
        client = MatrixClient(session, stub.url, SecretStr(AS_TOKEN))
        rooms = RoomStore(database, client, USERS)
        classifier = Classifier(USERS, make_reader(USERS, CommandWords(TOOLS, ("!",))))
        sorter, inbox, figures = EventSorter(classifier, rooms), Inbox(database), Figures()
        found = FoundEventStore(database, inbox, sorter, Receiving(RawInbox(database)))
        gaps = GapCheck(database, client, USERS, found, figures)
        yield Watch(stub, database, gaps, inbox, sorter, rooms, figures)


def said(name: str, body: str = "lycatra: hello", **more: JSON) -> dict[str, JSON]:
    """A message as a client sees it, without its room."""
    return {
        "type": "m.room.message",
        "event_id": name,
        "sender": PERSON,
        "content": {"msgtype": "m.text", "body": body},
        "unsigned": {"age": 5},
        **more,
    }


def member(name: str, user: str, membership: str, *, before: str | None = None) -> dict[str, JSON]:
    unsigned = {"prev_content": {"membership": before}} if before else {}
    content = {"membership": membership}
    return said(name, type="m.room.member", state_key=user, content=content, unsigned=unsigned)


def joined(
    *timeline: JSON, limited: bool = False, state: Sequence[JSON] = (), room: str = ROOM
) -> JSON:
    """What a /sync says of a room that the user is in."""
    events = {"events": timeline, "limited": limited, "prev_batch": "0"}
    return {"rooms": {"join": {room: {"timeline": events, "state": {"events": state}}}}}


def talk(watch: Watch, *events: Mapping[str, JSON]) -> None:
    """The room's whole timeline, as /messages pages it back, oldest first."""
    room = watch.stub.add_room(ROOM, MAIN, UPDATES)
    room.events += [dict(event) for event in events]


async def test_the_first_run_only_sets_the_mark(watch: Watch) -> None:
    await watch.check(main=joined(said("$a"), limited=True))

    assert await watch.stored() == []
    assert await watch.marks() == {MAIN: "0001", UPDATES: "0002"}
    assert watch.figures.checks == []
    assert not watch.asked("/messages")
    assert ["since" in asked for asked in watch.asked("/sync")] == [False, False]


async def test_a_message_that_was_never_pushed_is_found(watch: Watch) -> None:
    await watch.begin()

    await watch.check(main=joined(said("$a"), said("$b", "!help")))

    assert await watch.stored() == ["$a", "$b"]
    assert await watch.marks() == {MAIN: "0003", UPDATES: "0004"}
    assert [asked.get("since") for asked in watch.asked("/sync")] == [None, None, "0001", "0002"]
    assert watch.figures.checks == [(2, 2), (0, 0)]
    [row, _] = await query(watch.database, "SELECT input FROM turn ORDER BY id")
    stored = json.loads(row["input"])
    assert stored["event"]["room_id"] == ROOM
    assert (stored["age_ms"], stored["via"]) == (5, "sync")


async def test_what_was_pushed_already_is_not_new(watch: Watch) -> None:
    await watch.begin()
    await watch.push({**said("$a"), "room_id": ROOM})

    await watch.check(main=joined(said("$a")), updates=joined(said("$a"), said("$b")))

    assert await watch.stored() == ["$a", "$b"]
    assert watch.figures.checks == [(1, 0), (2, 1)]


async def test_an_invitation_and_a_kick_are_found(watch: Watch) -> None:
    await watch.begin()
    stripped = {
        "type": "m.room.member",
        "sender": PERSON,
        "state_key": MAIN,
        "content": {"membership": "invite"},
    }
    others = {**stripped, "state_key": PERSON}
    invited: JSON = {"invite_state": {"events": [others, stripped, {"type": "m.room.name"}, 7]}}
    kicked = {"timeline": {"events": [member("$kick", MAIN, "leave", before="join")]}}

    await watch.check(main={"rooms": {"invite": {"!new": invited}, "leave": {ROOM: kicked}}})
    await watch.check(main={"rooms": {"invite": {"!new": invited}}})

    lanes = await query(watch.database, "SELECT lane, trigger_id FROM turn ORDER BY id")
    assert [row["lane"] for row in lanes] == [
        "job|join|!new",
        f"{ROOM}|control",
        "job|join|!new",  # another one after the first was refused, say
    ]
    assert lanes[1]["trigger_id"] == "$kick"


async def test_of_two_invitations_into_one_room_the_homeservers_own_counts(watch: Watch) -> None:
    await watch.begin()
    real = {
        "type": "m.room.member",
        "sender": "@stranger:elsewhere.org",
        "state_key": MAIN,
        "content": {"membership": "invite"},
    }
    create = {"type": "m.room.create", "state_key": "", "content": {"type": "m.space"}}
    # The inviter's homeserver says what it likes; ours adds the real one at the end.
    forged = {**real, "sender": PERSON, "event_id": "$forged"}
    invited: JSON = {"invite_state": {"events": [forged, create, real]}}

    await watch.check(main={"rooms": {"invite": {"!new": invited}}})

    [row] = await query(watch.database, "SELECT input FROM turn")
    event = json.loads(row["input"])["event"]
    assert event["sender"] == "@stranger:elsewhere.org"
    assert event["unsigned"]["invite_room_state"] == [forged, create, real]


async def test_what_is_known_of_a_room_is_forgotten_with_what_is_found_of_it(
    watch: Watch,
) -> None:
    await watch.begin()
    watch.stub.add_room(ROOM, MAIN, UPDATES)
    await watch.rooms.view(ROOM)
    other = RoomID("!other")
    watch.stub.add_room(other, MAIN)
    await watch.rooms.view(other)

    await watch.check(main=joined(member("$gone", PERSON, "leave", before="join")))

    assert await watch.rooms.known(ROOM) is None
    assert await watch.rooms.known(other) is not None


async def test_what_is_found_is_stored_in_one_commit_with_the_mark(watch: Watch) -> None:
    await watch.begin()
    await query(watch.database, "ALTER TABLE crypto_inbox RENAME TO hidden")
    missed: JSON = {**joined(said("$a")), "to_device": {"events": [{"type": "m.room_key"}]}}

    with pytest.raises(Exception, match="crypto_inbox"):
        await watch.check(main=missed)
    assert await watch.stored() == []
    assert (await watch.marks())[MAIN] == "0001"

    await query(watch.database, "ALTER TABLE hidden RENAME TO crypto_inbox")
    watch.stub.syncs.clear()
    await watch.check(main=missed)
    assert await watch.stored() == ["$a"]


async def test_a_limited_timeline_is_paged_back_in_order(watch: Watch) -> None:
    await watch.begin()
    talk(watch, *(said(f"${n:03}") for n in range(250)))
    newest = [said(f"${n:03}") for n in range(250, 253)]
    watch.stub.rooms[ROOM].events += newest

    await watch.check(main=joined(*newest, limited=True))

    assert await watch.stored() == [f"${n:03}" for n in range(253)]
    pages = watch.asked("/messages")
    assert [page["from"] for page in pages] == ["0", "100", "200"]
    assert {(page["dir"], page["to"], page["user_id"]) for page in pages} == {("b", "0001", MAIN)}


async def test_paging_back_ends_somewhere_and_keeps_the_newest(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    await watch.begin()
    talk(watch, *(said(f"${n:04}") for n in range(1200)))

    await watch.check(main=joined(limited=True))

    assert await watch.stored() == [f"${n:04}" for n in range(200, 1200)]
    assert "gap_cut" in caplog.messages


async def test_a_room_just_entered_is_not_paged_back(watch: Watch) -> None:
    await watch.begin()
    talk(watch, said("$before"))
    entered = member("$join", MAIN, "join", before="invite")

    await watch.check(
        main=joined(
            said("$earlier"),
            entered,
            said("$after"),
            limited=True,
            state=[member("$old", PERSON, "join")],
        )
    )

    assert await watch.stored() == ["$join", "$after"]
    assert not watch.asked("/messages")


async def test_what_was_said_between_invitation_and_entry_is_for_us(watch: Watch) -> None:
    await watch.begin()

    await watch.check(
        main=joined(
            said("$earlier"),
            member("$invite", MAIN, "invite"),
            said("$question"),
            member("$join", MAIN, "join", before="invite"),
            limited=True,
        )
    )

    assert await watch.stored() == ["$invite", "$question", "$join"]


async def test_a_gap_ends_where_we_came_in(watch: Watch) -> None:
    await watch.begin()
    talk(watch, said("$before"), member("$join", MAIN, "join"), said("$after"))

    await watch.check(main=joined(said("$newest"), limited=True))

    assert await watch.stored() == ["$join", "$after", "$newest"]


async def test_a_new_display_name_of_ours_hides_no_gap(watch: Watch) -> None:
    await watch.begin()
    talk(watch, said("$missed"))
    renamed = member("$name", MAIN, "join", before="join")

    await watch.check(main=joined(renamed, said("$newest"), limited=True))

    assert await watch.stored() == ["$missed", "$name", "$newest"]


async def test_state_that_changed_in_a_gap_is_found(watch: Watch) -> None:
    await watch.begin()
    talk(watch)
    state = [member("$left", PERSON, "leave")]

    await watch.check(main=joined(said("$a"), limited=True, state=state))

    assert await watch.stored() == ["$left", "$a"]


async def test_talk_of_a_crowd_is_no_gap(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    await watch.begin()
    people = [UserID(f"@person{n}:hs.test") for n in range(3)]
    watch.stub.add_room(ROOM, MAIN, *people)
    for user in (MAIN, *people):
        watch.stub.state[ROOM, "m.room.member", user] = {"membership": "join"}
    await watch.rooms.view(ROOM)
    watch.rooms.forget(ROOM)  # another replica leads, or a minute has passed

    await watch.check(main=joined(said("$a", "good morning"), said("$b", "lycatra: hello")))

    assert await watch.stored() == ["$b"]
    assert watch.figures.checks[0] == (2, 1)


async def test_messages_between_devices_are_kept_with_the_device_they_are_for(
    watch: Watch,
) -> None:
    await watch.begin()

    await watch.check(
        updates={"to_device": {"events": [{"type": "m.room_key", "sender": PERSON}]}}
    )

    [row] = await query(watch.database, "SELECT raw FROM crypto_inbox")
    assert json.loads(row["raw"]) == {
        "type": "m.room_key",
        "sender": PERSON,
        "to_user_id": UPDATES,
        "to_device_id": "LYC",
    }


async def test_malformed_events_are_set_aside_beside_their_neighbours(watch: Watch) -> None:
    await watch.begin()

    await watch.check(main=joined(said("$a"), {"event_id": 7}, None, said("$b")))

    assert await watch.stored() == ["$a", "$b"]
    letters = await query(watch.database, "SELECT reason FROM dead_letter ORDER BY id")
    assert [row["reason"] for row in letters] == ["no usable event_id", "not a JSON object"]


async def test_an_odd_answer_is_an_empty_one(watch: Watch) -> None:
    await watch.begin()
    odd: Sequence[JSON] = [
        {"rooms": 7, "to_device": []},
        {"rooms": {"join": [], "invite": 7, "leave": None}},
        {"rooms": {"join": {ROOM: None}, "invite": {ROOM: {"invite_state": []}}}},
        {"rooms": {"join": {ROOM: {"timeline": {"events": 7, "limited": True}, "state": 7}}}},
    ]

    for answer in odd:
        await watch.check(main=answer)

    assert await watch.stored() == []
    assert watch.figures.checks == [(0, 0)] * 2 * len(odd)


async def test_a_room_that_may_not_be_read_hides_no_other(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    await watch.begin()
    closed = joined(said("$a"), limited=True, room="!closed")

    await watch.check(main=closed, updates=joined(said("$b")))

    assert await watch.stored() == ["$a", "$b"]
    assert "gap_unreadable" in caplog.messages


async def test_a_user_whom_the_homeserver_refuses_hides_no_other(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    await watch.begin()
    refusal = Failure(
        method="GET", contains="/sync", status=403, errcode="M_USER_DEACTIVATED", user=MAIN
    )
    watch.stub.fail(refusal)
    watch.stub.syncs.append({"next_batch": "later", **joined(said("$b"))})

    await watch.gaps.check()

    assert await watch.stored() == ["$b"]
    assert await watch.marks() == {MAIN: "0001", UPDATES: "later"}
    assert "gap_check_refused" in caplog.messages


@pytest.mark.parametrize(
    "failure",
    [
        Failure(method="GET", contains="/sync", status=502, raw=b"bad gateway"),
        Failure(method="GET", contains="/sync", status=429, errcode="M_LIMIT_EXCEEDED"),
        Failure(method="GET", contains="/sync", status=200, raw=b"{}"),
        Failure(method="GET", contains="/messages", status=500, errcode="M_UNKNOWN"),
    ],
)
async def test_a_homeserver_that_is_away_is_checked_again_from_the_same_mark(
    watch: Watch, failure: Failure
) -> None:
    await watch.begin()
    talk(watch, said("$missed"))
    failure.times = 1
    watch.stub.fail(failure)

    with pytest.raises(LycatraError):
        await watch.check(main=joined(said("$a"), limited=True))

    assert (await watch.marks())[MAIN] == "0001"
    watch.stub.syncs.clear()
    await watch.check(main=joined(said("$a"), limited=True))
    assert await watch.stored() == ["$missed", "$a"]


async def test_two_leaders_who_check_at_once_store_everything_once(watch: Watch) -> None:
    await watch.begin()
    missed = joined(said("$a"), said("$b"))
    watch.stub.syncs += [{"next_batch": "same", **missed}] * 4

    async with asyncio.timeout(20):
        await asyncio.gather(watch.gaps.check(), watch.gaps.check())

    assert await watch.stored() == ["$a", "$b"]
