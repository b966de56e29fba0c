"""Whose invitations are followed, who is brought along, and what the others read."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON, RoomID, UserID
from lycatra_appservice.settings import Invitations
from tests.support.homeserver_stub import Failure
from tests.support.scene import (
    ASSISTANT,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    SERVICES,
    STRANGER,
    UPDATES,
    Scene,
    open_scene,
)
from tests.support.toolbench import Lists
from tests.support.turns import query
from tests.unit.chat.rooms_of_tests import FUNCTIONAL, goes, here, invite, reasons, try_again

ADMIN = UserID("@admin:hs.test")
DENIED = UserID("@denied:hs.test")
ALL = {MAIN, ASSISTANT, SERVICES, UPDATES}
SPACE = {"type": "m.space", "room_version": "12"}


@pytest.fixture
async def careful(tmp_path: Path) -> AsyncIterator[Scene]:
    """A chat that also lets people of another homeserver invite, a few times an hour."""
    lists = Lists(admin=[ADMIN], viewer=["*:hs.test", "*:away.test"], none=[DENIED])
    limits = Invitations(per_person_and_hour=3, per_server_and_hour=5, per_room_and_hour=2)
    async with open_scene(tmp_path, lists=lists, limits=limits) as opened:
        yield opened


def new_room(scene: Scene, name: str, *people: str) -> RoomID:
    room_id = RoomID(name)
    scene.seat(*map(UserID, people), room_id=room_id)
    return room_id


# Who is refused


async def test_a_user_of_ours_that_was_never_made_keeps_no_invitation_waiting(
    scene: Scene,
) -> None:
    scene.stub.users.discard(SERVICES)  # refused by the homeserver, for example
    scene.seat(STRANGER)

    async with asyncio.timeout(30):
        create: JSON = {"predecessor": {"room_id": "!made-up"}}
        await invite(scene, by="@stranger:away.test", create=create)

    assert len(reasons(scene)) == 1


# Bringing along


async def test_in_a_group_lycatra_brings_those_that_the_inviter_can_use(scene: Scene) -> None:
    scene.seat(PERSON, OTHER)

    await invite(scene)

    assert here(scene) == ALL
    assert scene.stub.state[ROOM, FUNCTIONAL, ""] == {"service_members": sorted(ALL)}
    assert len(scene.stub.asked("PUT", FUNCTIONAL)) == 1


async def test_in_a_dm_lycatra_comes_alone_and_is_no_helper(scene: Scene) -> None:
    scene.seat(PERSON)

    await invite(scene)

    assert here(scene) == {MAIN}
    assert (ROOM, FUNCTIONAL, "") not in scene.stub.state


@pytest.mark.parametrize("presence", ["label", "on_demand"])
async def test_where_the_room_wants_nobody_nobody_is_brought(scene: Scene, presence: str) -> None:
    scene.seat(PERSON, OTHER)
    await query(
        scene.database,
        "INSERT INTO room_settings (room, chosen, set_by, at) VALUES (:room, :chosen, :by, 0)",
        room=ROOM,
        chosen=json.dumps({"virtual_users": presence}),
        by=PERSON,
    )

    await invite(scene)

    assert here(scene) == {MAIN}
    [answer] = (await scene.ask("!list updates"))[-1:]
    assert answer.by == (MAIN if presence == "label" else UPDATES)


async def test_before_a_crowd_nobody_else_comes_not_even_to_answer(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, state={"m.room.join_rules": {"join_rule": "public"}})
    scene.stub.rooms[ROOM].invite_only = False

    await invite(scene)
    [answer] = (await scene.ask("lycatra_updates: list updates"))[-1:]

    assert here(scene) == {MAIN}
    assert answer.by == MAIN


async def test_where_lycatra_may_not_invite_nobody_tries_to_come(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, state={"m.room.power_levels": {"invite": 50}})

    await invite(scene)
    [answer] = (await scene.ask("!list updates"))[-1:]

    assert [seen.user for seen in scene.stub.asked("POST", "/join/")] == [MAIN]
    assert scene.stub.asked("POST", "/invite") == []
    assert answer.by == MAIN


async def test_other_helpers_of_the_room_stay_in_the_list(scene: Scene) -> None:
    theirs = {"service_members": ["@bridge:hs.test", MAIN], "more": 1}
    scene.seat(PERSON, OTHER, state={FUNCTIONAL: theirs})

    await invite(scene)

    listed = scene.stub.state[ROOM, FUNCTIONAL, ""]
    assert listed["more"] == 1
    assert listed["service_members"][:2] == ["@bridge:hs.test", MAIN]
    assert set(listed["service_members"]) == {"@bridge:hs.test", *ALL}


async def test_a_list_that_may_not_be_changed_is_left_alone_and_costs_nothing(
    scene: Scene,
) -> None:
    scene.seat(PERSON, OTHER, state={"m.room.power_levels": {"invite": 0, "state_default": 50}})
    await invite(scene)
    assert scene.stub.asked("PUT", FUNCTIONAL) == []

    room = new_room(scene, "!other", PERSON, OTHER)
    scene.stub.fail(Failure(method="PUT", contains=FUNCTIONAL, status=403, errcode="M_FORBIDDEN"))
    await invite(scene, room_id=room)

    assert here(scene) == here(scene, room) == ALL


async def test_a_virtual_user_that_comes_later_is_added_to_the_list(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN, UPDATES)

    await scene.hear(scene.member(UPDATES, "join", sender=UPDATES))

    assert scene.stub.state[ROOM, FUNCTIONAL, ""] == {"service_members": sorted([MAIN, UPDATES])}


async def test_who_was_sent_away_is_not_brought_again_with_the_others(scene: Scene) -> None:
    scene.seat(PERSON, OTHER)
    await invite(scene)
    await goes(scene, UPDATES, by=PERSON)
    await goes(scene, MAIN, by=PERSON)
    assert here(scene) == set()

    await invite(scene)

    assert here(scene) == ALL - {UPDATES}


async def test_a_crash_in_the_middle_brings_the_same_users_once(scene: Scene) -> None:
    scene.seat(PERSON, OTHER)
    scene.stub.fail(Failure(method="POST", contains="/join/", status=502, raw=b"", user=SERVICES))

    await invite(scene)
    await scene.hear(scene.member(SERVICES, "invite", sender=MAIN))
    await try_again(scene)

    assert here(scene) == ALL
    joins = [seen.user for seen in scene.stub.asked("POST", "/join/")]
    assert joins.count(MAIN) == 1
    assert len([said for said in scene.said() if said.by == MAIN]) == 1


# Whose invitations


async def test_deny_comes_before_everything(careful: Scene) -> None:
    careful.seat(DENIED)

    await invite(careful, by=DENIED)

    assert here(careful) == set()
    assert careful.stub.asked("POST", "/join/") == []
    assert careful.figures.invitations == {"not_allowed": 1}


async def test_a_refused_person_reads_the_reason_once(scene: Scene) -> None:
    for name in ("!one", "!two", "!three"):
        await invite(scene, by=STRANGER, room_id=new_room(scene, name, STRANGER))

    first, *others = reasons(scene)
    assert first is not None
    assert "Ask whoever runs me" in first
    assert others == [None, None]
    assert scene.stub.asked("POST", "/join/") == []
    assert scene.figures.invitations == {"not_allowed": 3}


async def test_names_that_nobody_configured_are_counted(scene: Scene) -> None:
    scene.seat(PERSON)

    await invite(scene, "@lycatra_nope:hs.test")

    assert scene.figures.invitations == {"unknown_user": 1}
    assert scene.stub.requests == []


async def test_a_hundred_invitations_from_one_homeserver_are_a_few_rooms(careful: Scene) -> None:
    for n in range(100):
        room = new_room(careful, f"!room{n}", f"@bot{n}:away.test")
        await invite(careful, by=f"@bot{n}:away.test", room_id=room)

    assert len(careful.stub.asked("POST", "/join/")) == 5
    assert careful.figures.invitations == {"accepted": 5, "server_limit": 95}
    assert all("homeserver" in (reason or "") for reason in reasons(careful))


async def test_over_the_limit_the_reason_says_when_to_try_again(careful: Scene) -> None:
    for n in range(5):
        await invite(careful, room_id=new_room(careful, f"!room{n}", PERSON))

    first, second = reasons(careful)
    assert first is not None
    assert first.endswith("Please try again in 60 minutes.")
    assert second is None
    assert len(careful.stub.asked("POST", "/join/")) == 3


async def test_admins_have_no_limit_but_that_of_the_room(careful: Scene) -> None:
    for n in range(6):
        await invite(careful, by=ADMIN, room_id=new_room(careful, f"!room{n}", ADMIN))

    assert careful.figures.invitations == {"accepted": 6}


async def test_who_is_sent_away_and_invited_in_turn_stays_out_after_a_while(
    careful: Scene,
) -> None:
    careful.seat(ADMIN)
    for _ in range(3):
        await invite(careful, by=ADMIN)
        await goes(careful, MAIN, by=ADMIN)

    assert len(careful.stub.asked("POST", "/join/")) == 2
    assert "into this room several times" in (reasons(careful)[0] or "")


async def test_the_same_invitation_heard_of_twice_is_followed_once(scene: Scene) -> None:
    scene.seat(PERSON, OTHER)
    await invite(scene)
    before = len(scene.stub.asked("POST", "/join/"))
    said = len(scene.said())

    event = scene.member(MAIN, "invite")
    await scene.push(event, via="sync")
    await scene.work()

    assert len(scene.stub.asked("POST", "/join/")) == before
    assert len(scene.said()) == said
    assert scene.figures.invitations == {"accepted": 1}


async def test_an_invitation_of_our_own_that_is_late_brings_nobody_back(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN, UPDATES)
    await scene.rooms.view(ROOM)
    late = scene.member(UPDATES, "invite", sender=MAIN)
    await scene.push(late, scene.member(UPDATES, "leave"))
    scene.stub.rooms[ROOM].members[UPDATES] = "leave"

    await scene.work()

    assert here(scene) == {MAIN}
    assert scene.stub.asked("POST", "/join/") == []


async def test_an_invitation_taken_back_is_not_renewed_by_lycatra(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN)

    await scene.hear(scene.member(UPDATES, "invite"))

    assert here(scene) == {MAIN}
    assert scene.stub.asked("POST", "/invite") == []


async def test_a_room_that_cannot_be_entered_is_refused_with_what_to_do(scene: Scene) -> None:
    scene.seat(PERSON)
    scene.stub.fail(
        Failure(method="POST", contains="/join/", status=403, errcode="M_FORBIDDEN", times=9)
    )

    await invite(scene)

    assert "invite me again" in (reasons(scene)[0] or "")


async def test_who_is_sent_away_at_once_and_invited_again_does_not_refuse_that(
    scene: Scene,
) -> None:
    scene.seat(PERSON)
    scene.stub.rooms[ROOM].members[MAIN] = "invite"
    # The state of after the kick, while the first join is just over.
    kicked = [
        {
            "type": "m.room.member",
            "state_key": MAIN,
            "sender": PERSON,
            "content": {"membership": "leave"},
        }
    ]
    scene.stub.fail(
        Failure(method="GET", contains="/state", status=200, raw=json.dumps(kicked).encode())
    )
    for user in scene.users.all[1:]:
        scene.stub.fail(
            Failure(method="GET", contains="/state", status=403, errcode="M_FORBIDDEN", user=user)
        )

    await scene.hear(scene.member(MAIN, "invite"))

    assert scene.stub.asked("POST", "/leave") == []


# Spaces


async def test_a_space_is_refused_without_entering_it_and_the_person_is_told(
    scene: Scene,
) -> None:
    scene.seat(PERSON)

    await invite(scene, create=SPACE)

    [direct] = [room for room in scene.stub.rooms if room != ROOM]
    [told] = [said for said in scene.said(RoomID(direct)) if "spaces" in said.body]
    assert scene.stub.asked("POST", "/join/") == []
    assert told.by == MAIN
    assert "I answer in rooms, not in spaces" in (reasons(scene)[0] or "")


async def test_a_space_that_did_not_say_so_is_left_again(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, state={"m.room.create": SPACE})

    await invite(scene, create={"room_version": "12"})

    assert here(scene) == set()
    assert "I answer in rooms, not in spaces" in (reasons(scene)[0] or "")
    assert [seen.user for seen in scene.stub.asked("POST", "/join/")] == [MAIN]


@pytest.mark.parametrize(
    "stripped",
    [7, "x", [], [None, 7, {"type": "m.room.create", "content": 7}], {"type": "m.room.create"}],
)
async def test_malformed_stripped_state_says_nothing(scene: Scene, stripped: JSON) -> None:
    scene.seat(PERSON)
    scene.stub.rooms[ROOM].members[MAIN] = "invite"
    event = scene.member(MAIN, "invite")
    event["unsigned"]["invite_room_state"] = stripped

    await scene.hear(event)

    assert here(scene) == {MAIN}
