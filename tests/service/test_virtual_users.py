"""Our users on the homeserver: who exists, who may be invited, and with which tokens."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON
from tests.support.ghost import call_as
from tests.support.live import REFUSED, Live
from tests.support.site import running_site
from tests.support.stage import Room, open_stage, sqlite_in
from tests.support.tables import Tables

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

MEMBER = "m.room.member"


def memberships(events: Sequence[JSON], user_id: str) -> list[str]:
    return [
        event["content"]["membership"]
        for event in events
        if event["type"] == MEMBER and event["state_key"] == user_id
    ]


async def test_every_user_has_its_name_and_its_device_after_the_start(live: Live) -> None:
    await live.replica.until_logged("virtual_user_ready", times=len(live.users.all) + 1)
    person = await live.stage.person()
    for user in (*live.users.all, live.users.sender):
        profile = await person.call("GET", f"/profile/{user}")
        assert profile["displayname"] == live.users.display_name(user)
        devices = (await call_as(live.stage.site, user, "GET", "/devices")).body["devices"]
        assert [device["device_id"] for device in devices] == [live.users.device_id]
    sender = await person.call("GET", f"/profile/{live.users.sender}")
    assert sender["displayname"] == "Lycatra (technical)"


async def test_an_invited_name_that_nobody_configured_is_never_made(live: Live) -> None:
    nope = f"@lycatra_nope:{live.users.server_name}"
    room = await live.stage.room()
    await room.person.invite(room.room_id, nope)
    await live.replica.until_logged("invited_unknown_user")
    assert (await room.settled(live.tables)).clean
    assert await room.person.membership(room.room_id, nope) == "invite"
    # Synapse lets an application service act only as users that were registered.
    assert (await call_as(live.stage.site, nope, "GET", "/account/whoami")).status == 403


async def test_synapse_is_told_which_users_there_are(live: Live) -> None:
    pusher = live.stage.pusher(live.replica)
    for user in (*live.users.all, live.users.sender):
        assert (await pusher.look_up(f"/users/{user}")).status == 200
    for nobody in (f"@lycatra_nope:{live.users.server_name}", "@lycatra:other.test", "x"):
        assert (await pusher.look_up(f"/users/{nobody}")).status == 404


async def test_the_technical_user_leaves_at_once_and_names_the_right_one(live: Live) -> None:
    room = await live.stage.room()
    await room.person.invite(room.room_id, live.users.sender)
    await room.person.wait_for_member(room.room_id, live.users.sender, "leave")
    assert live.users.main in await _reason(room, live.users.sender)


async def test_an_invitation_by_somebody_without_rights_is_refused_once_with_the_reason(
    live: Live,
) -> None:
    stranger = await live.stage.person(REFUSED)
    room_id = await stranger.create_room("a room", invite=[live.users.main])
    await stranger.wait_for_member(room_id, live.users.main, "leave")
    room = Room(room_id, stranger)
    assert "only accept invitations" in await _reason(room, live.users.main)
    await live.tables.until_idle()
    assert memberships(await room.events(), live.users.main) == ["invite", "leave"]


async def test_a_rotation_of_the_tokens_loses_no_message(tmp_path: Path) -> None:
    with running_site() as site:
        async with open_stage(site, tmp_path) as stage:
            replica = await stage.replica(sqlite_in(tmp_path))
            async with replica:
                room = await stage.room()
                await room.said_to("!help")
            site.rotate_tokens()
            async with replica:
                # Synapse pushes with the old token, and refuses ours until it reads the file.
                await Tables(sqlite_in(tmp_path)).until_stored(await room.ask("!list updates"))
                await site.homeserver.restart()
                await room.answers()
                assert (await room.settled(Tables(sqlite_in(tmp_path)))).clean


async def _reason(room: Room, user_id: str) -> str:
    path = f"/rooms/{room.room_id}/state/{MEMBER}/{user_id}"
    return str((await room.person.call("GET", path))["reason"])
