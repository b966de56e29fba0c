"""Our users come into rooms, move on with them and leave, on a real homeserver."""

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
import pytest_asyncio

from lycatra_appservice.demo.client_api import path_of
from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.matrix.heartbeat import control_alias
from lycatra_appservice.model import JSON, RoomID, UserID
from tests.support.ghost import call_as
from tests.support.live import REFUSED
from tests.support.lycatra import Lycatra
from tests.support.site import Site
from tests.support.stage import Room, Stage, open_stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

FUNCTIONAL = "io.element.functional_members"
# Whose invitations are followed; everybody else of this homeserver has no rights.
HOSTS = [f"host-of-coming{n}" for n in range(60)]
PER_PERSON, PER_ROOM = 8, 3
SPACE: dict[str, JSON] = {"creation_content": {"type": "m.space"}}


@dataclass(frozen=True, slots=True)
class World:
    """The service, and people."""

    stage: Stage
    replica: Lycatra
    tables: Tables
    names: Iterator[str]

    @property
    def main(self) -> UserID:
        return self.stage.users.main

    @property
    def ours(self) -> Sequence[UserID]:
        return self.stage.users.all

    @property
    def updates(self) -> UserID:
        return self.stage.users.of("updates")

    async def host(self) -> PersonClient:
        """Somebody with rights, who has invited nobody yet."""
        return await self.stage.person(next(self.names))

    async def group(
        self, *, by: PersonClient | None = None, extra: Mapping[str, JSON] | None = None
    ) -> Room:
        """A room with two people, into which none of us has been invited yet."""
        host, guest = by or await self.host(), await self.stage.person()
        room_id = await host.create_room("a group", invite=[guest.user_id], extra=extra)
        await guest.join(room_id)
        return Room(room_id, host)

    async def invite(self, room: Room, user: UserID | None = None) -> None:
        """Invite one of us, and wait until it is there and has done what it does then."""
        await room.person.invite(room.room_id, user or self.main)
        await room.person.wait_for_member(room.room_id, user or self.main)
        await self.tables.until_idle()

    async def rooms_of(self, user: UserID) -> Sequence[str]:
        """The rooms that one of us has joined."""
        answer = await call_as(self.stage.site, user, "GET", "/joined_rooms")
        rooms: Sequence[str] = answer.body["joined_rooms"]
        return rooms

    async def until_nobody_is_in(self, room_id: RoomID) -> None:
        """Wait until all of us have left, as only we can see."""

        async def left() -> bool:
            return not [user for user in self.ours if room_id in await self.rooms_of(user)]

        await until(left, f"all of us leaving {room_id}")

    async def is_alive(self) -> None:
        """Return when a message sent now is answered: what should not come has had its time."""
        room = await self.stage.room(await self.host(), others=0)
        await room.said_to("!help")
        await self.tables.until_idle()


def settings(site: Site) -> dict[str, JSON]:
    server = site.homeserver.server_name
    return {
        "access": {
            "none": [f"@{REFUSED}:{server}"],
            "viewer": [f"@{name}:{server}" for name in HOSTS],
        },
        "invitations": {"per_person_and_hour": PER_PERSON, "per_room_and_hour": PER_ROOM},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world_of_module(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("going")
    async with open_stage(site, folder) as stage:
        url = sqlite_in(folder)
        replica = await stage.replica(url, more=settings(site))
        await replica.start()
        yield World(stage, replica, Tables(url), itertools.chain(HOSTS))


@pytest.fixture
def world(world_of_module: World) -> World:
    return world_of_module


async def joined(room: Room) -> set[UserID]:
    return set(await room.person.members(room.room_id))


async def state_of(person: PersonClient, room_id: RoomID, kind: str, key: str = "") -> JSON:
    return await person.call("GET", path_of("rooms", room_id, "state", kind) + f"/{key}")


async def reason_of(person: PersonClient, room_id: RoomID, user: UserID) -> str:
    return str((await state_of(person, room_id, "m.room.member", user)).get("reason", ""))


async def kick(room: Room, user: UserID) -> None:
    await room.person.call("POST", path_of("rooms", room.room_id, "kick"), {"user_id": user})


async def upgrade(room: Room, version: str = "12") -> RoomID:
    path = path_of("rooms", room.room_id, "upgrade")
    return RoomID(
        (await room.person.call("POST", path, {"new_version": version}))["replacement_room"]
    )


# Coming


async def test_in_a_group_lycatra_brings_the_others_and_marks_all_as_helpers(
    world: World,
) -> None:
    power = {"power_level_content_override": {"users": {world.main: 50}}}
    room = await world.group(extra=power)

    await world.invite(room)

    assert set(world.ours) <= await joined(room)
    marked = await state_of(room.person, room.room_id, FUNCTIONAL)
    assert set(marked["service_members"]) == set(world.ours)
    changes = [event for event in await room.events() if event["type"] == FUNCTIONAL]
    assert len(changes) == 1
    answer = await room.answer_to(await room.ask("@lycatra_updates list updates"))
    assert answer["sender"] == world.updates


async def test_in_a_group_of_a_room_version_with_creators_in_the_levels_it_is_the_same(
    world: World,
) -> None:
    room = await world.group(extra={"room_version": "10"})

    await world.invite(room)

    assert set(world.ours) <= await joined(room)
    assert await room.said_to("!list updates")


async def test_in_a_direct_chat_lycatra_comes_alone_and_speaks_for_all(world: World) -> None:
    room = await world.stage.room(await world.host(), others=0)
    answer = await room.answer_to(await room.ask("!list updates"))

    assert answer["sender"] == world.main
    assert await joined(room) == {room.person.user_id, world.main}


async def test_before_the_public_lycatra_comes_alone_and_answers_who_names_it(
    world: World,
) -> None:
    room = await world.group(extra={"preset": "public_chat"})
    await world.invite(room)
    answer = await room.answer_to(await room.ask("@lycatra_updates: list updates"))

    assert answer["sender"] == world.main
    assert not {*world.ours[1:]} & await joined(room)


async def test_a_space_is_not_entered_and_the_person_is_told_in_a_direct_chat(
    world: World,
) -> None:
    host = await world.host()
    space = await host.create_room("a space", invite=[world.main], extra=SPACE)
    await host.wait_for_member(space, world.main, "leave")
    await world.tables.until_idle()

    invited = (await host.call("GET", "/sync", query={"timeout": "0"}))["rooms"]["invite"]
    [direct] = invited
    await host.join(direct)
    told = [event["content"].get("body", "") for event in await host.all_messages(RoomID(direct))]
    assert any("I answer in rooms, not in spaces" in body for body in told)
    assert "not in spaces" in await reason_of(host, space, world.main)
    assert space not in await world.rooms_of(world.main)


async def test_somebody_without_rights_reads_why_once(world: World) -> None:
    outsider = await world.stage.person()
    reasons = []
    for n in range(2):
        room_id = await outsider.create_room(f"room {n}", invite=[world.main])
        await outsider.wait_for_member(room_id, world.main, "leave")
        reasons.append(await reason_of(outsider, room_id, world.main))

    assert "Ask whoever runs me" in reasons[0]
    assert reasons[1] == ""


async def test_one_person_gets_us_into_a_few_rooms_an_hour(world: World) -> None:
    host = await world.host()
    rooms = [await host.create_room(f"{n}", invite=[world.main]) for n in range(PER_PERSON + 4)]

    async def settled() -> bool:
        return "invite" not in [await host.membership(room, world.main) for room in rooms]

    await until(settled, "an end of all invitations")
    memberships = [await host.membership(room, world.main) for room in rooms]
    assert memberships.count("join") == PER_PERSON
    refused = [room for room in rooms if await host.membership(room, world.main) == "leave"]
    said = [await reason_of(host, room, world.main) for room in refused]
    assert len([reason for reason in said if "Please try again in" in reason]) == 1


# Going


async def test_who_sends_lycatra_away_is_rid_of_all_and_has_them_back_by_inviting(
    world: World,
) -> None:
    room = await world.group()
    await world.invite(room)
    await kick(room, world.updates)
    await world.tables.until_idle()
    await room.answer_to(await room.ask("!list updates"))
    assert world.updates not in await joined(room)

    await kick(room, world.main)
    for user in world.ours:
        await room.person.wait_for_member(room.room_id, user, "leave")
    assert "I only came along" in await reason_of(room.person, room.room_id, world.ours[1])
    await room.say("!list updates")
    await world.is_alive()
    assert not set(world.ours) & await joined(room)

    await world.invite(room)
    assert set(world.ours) - {world.updates} <= await joined(room)
    assert world.updates not in await joined(room)
    await world.invite(room, world.updates)
    assert world.updates in await joined(room)


async def test_a_banned_virtual_user_stays_out_and_is_spoken_for(world: World) -> None:
    room = await world.group()
    await world.invite(room)
    ban = path_of("rooms", room.room_id, "ban")
    await room.person.call("POST", ban, {"user_id": world.updates})

    answer = await room.answer_to(await room.ask("@lycatra_updates list updates"))

    assert answer["sender"] == world.main
    assert await room.person.membership(room.room_id, world.updates) == "ban"


async def test_sent_away_and_invited_in_turn_is_refused_in_the_end(world: World) -> None:
    room = await world.stage.room(await world.host(), others=0)
    for _ in range(PER_ROOM - 1):
        await kick(room, world.main)
        await world.invite(room)
    await kick(room, world.main)

    await room.person.invite(room.room_id, world.main)
    await world.tables.until_idle()
    await room.person.wait_for_member(room.room_id, world.main, "leave")

    assert "into this room several times" in await reason_of(room.person, room.room_id, world.main)


async def test_when_the_last_person_leaves_all_of_us_leave(world: World) -> None:
    room = await world.group()
    await world.invite(room)
    for user in await joined(room) - {*world.ours, room.person.user_id}:
        await kick(room, user)
    await world.is_alive()
    assert room.room_id in await world.rooms_of(world.updates)

    await room.person.call("POST", path_of("rooms", room.room_id, "leave"), {})

    await world.until_nobody_is_in(room.room_id)
    # Synapse goes on showing the room as it was: who reads it must look at who is in it.
    state = path_of("rooms", room.room_id, "state")
    assert (await call_as(world.stage.site, world.main, "GET", state)).status == 200
    assert await _control_room(world) in await world.rooms_of(world.main)


async def test_where_nobody_of_us_may_speak_there_is_one_line_in_the_log(world: World) -> None:
    host = await world.host()
    levels = {"events_default": 50}
    room = await world.group(by=host, extra={"power_level_content_override": levels})
    await world.invite(room)
    before = len(world.replica.records("room_lost"))

    asked = await room.say("!list updates")
    await world.tables.until_state(asked, "done", "failed")
    await world.is_alive()

    lost = world.replica.records("room_lost")[before:]
    assert [record["room_id"] for record in lost] == [room.room_id]


async def test_where_only_lycatra_may_speak_it_speaks_for_the_others(world: World) -> None:
    levels = {"events_default": 50, "users": {world.main: 50}}
    room = await world.group(extra={"power_level_content_override": levels})
    await world.invite(room)

    answer = await room.answer_to(await room.ask("!list updates"))

    assert answer["sender"] == world.main
    assert "Lycatra Updates" in answer["content"]["body"]


# Moving on


@pytest.mark.parametrize("version", ["10", "12"])
async def test_an_open_room_that_is_upgraded_is_followed_with_its_settings(
    world: World, version: str
) -> None:
    room = await world.group(extra={"preset": "public_chat", "room_version": "9"})
    await world.invite(room)
    await world.invite(room, world.updates)
    await room.said_to("lycatra: !settings reply thread")

    new = Room(await upgrade(room, version), room.person)
    for user in (world.main, world.updates):
        await room.person.wait_for_member(new.room_id, user)
    await world.tables.until_idle()

    asked = await new.ask("@lycatra_updates list updates")
    assert (await new.answer_to(asked))["sender"] == world.updates
    rows = await world.tables.rows("SELECT room, chosen FROM room_settings")
    chosen = {row["room"]: row["chosen"] for row in rows}
    assert chosen[new.room_id] == chosen[room.room_id]
    assert world.main in await joined(room)  # the old one is left alone


async def test_a_closed_room_that_is_upgraded_is_followed_when_somebody_asks_us_in(
    world: World,
) -> None:
    outsider, host = await world.stage.person(), await world.host()
    room_id = await outsider.create_room("closed", invite=[host.user_id])
    await host.join(room_id)
    await host.invite(room_id, world.main)
    await outsider.wait_for_member(room_id, world.main)
    await world.tables.until_idle()

    new = Room(await upgrade(Room(room_id, outsider)), outsider)
    await world.is_alive()
    assert world.main not in await joined(new)
    await outsider.invite(new.room_id, world.main)

    for user in world.ours:
        await outsider.wait_for_member(new.room_id, user)


async def test_a_tombstone_that_points_to_somebody_elses_room_brings_nobody_there(
    world: World,
) -> None:
    room = await world.group()
    await world.invite(room)
    elsewhere = await room.person.create_room("elsewhere", preset="public_chat")

    tombstone = {"body": "moved", "replacement_room": elsewhere}
    path = path_of("rooms", room.room_id, "state", "m.room.tombstone") + "/"
    await room.person.call("PUT", path, tombstone)

    await room.person.wait_for_member(elsewhere, world.main, "leave")
    await world.tables.until_idle()
    assert room.room_id in await reason_of(room.person, elsewhere, world.main)
    assert not set(world.ours) & set(await room.person.members(elsewhere))
    assert elsewhere in await room.said_to("lycatra: !list updates")


# What happens while we are away comes last: it restarts the service.


async def test_what_happened_while_we_were_away_is_made_up_for(world: World) -> None:
    opened, closed, left = [await world.group() for _ in range(3)]
    for room in (opened, closed, left):
        await world.invite(room)
    rules = path_of("rooms", opened.room_id, "state", "m.room.join_rules") + "/"
    await opened.person.call("PUT", rules, {"join_rule": "public"})
    await world.is_alive()
    assert await world.replica.stop() == 0

    new_open = Room(await upgrade(opened), opened.person)
    new_closed = Room(await upgrade(closed, "10"), closed.person)
    await closed.person.invite(new_closed.room_id, world.main)
    for user in await joined(left) - {*world.ours, left.person.user_id}:
        await kick(left, user)
    await left.person.call("POST", path_of("rooms", left.room_id, "leave"), {})
    invited = await world.group()
    await invited.person.invite(invited.room_id, world.main)
    await world.replica.start()

    for room in (new_open, new_closed, invited):
        for user in world.ours:
            await room.person.wait_for_member(room.room_id, user)
    await world.until_nobody_is_in(left.room_id)
    await world.tables.until_idle()


async def _control_room(world: World) -> str:
    alias = control_alias(world.stage.users)
    found = await call_as(world.stage.site, world.main, "GET", path_of("directory", "room", alias))
    room_id: str = found.body["room_id"]
    return room_id
