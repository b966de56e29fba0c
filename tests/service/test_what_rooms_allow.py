"""Answers that a room or the homeserver does not take as they are; the lane always goes on."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON, EventID
from tests.support.ghost import call_as
from tests.support.live import Live
from tests.support.pushes import message
from tests.support.site import running_site
from tests.support.stage import Room, open_stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ENCRYPTION: dict[str, JSON] = {"algorithm": "m.megolm.v1.aes-sha2"}


async def kick(room: Room, user_id: str) -> None:
    await room.person.call("POST", f"/rooms/{room.room_id}/kick", {"user_id": user_id})


def ours_said(live: Live, events: Sequence[JSON]) -> list[JSON]:
    return [
        event
        for event in events
        if event["type"] == "m.room.message" and event["sender"] in live.users.all
    ]


async def test_who_is_kicked_before_the_answer_says_nothing_and_the_lane_goes_on(
    live: Live,
) -> None:
    room = await live.stage.room()
    await live.tables.until_idle()  # or it would be kicked in the middle of its greeting
    live.gate.close()
    asked = await room.say("!get service status")
    await live.gate.reached()
    await kick(room, live.users.main)

    async def all_gone() -> bool:
        return not set(live.users.all) & set(await room.person.members(room.room_id))

    await until(all_gone, "the others following @lycatra")
    live.gate.open()
    await live.tables.until_state(asked, "done", "failed")
    await live.tables.until_idle()
    await room.person.invite(room.room_id, live.users.main)
    await room.person.wait_for_member(room.room_id, live.users.main)
    await room.said_to("!list updates")
    assert (await room.settled(live.tables)).clean  # nothing stale came after all
    lost = [record["room_id"] for record in live.replica.records("room_lost")]
    assert lost == [room.room_id]


async def test_lycatra_speaks_for_a_virtual_user_that_cannot_come_in(live: Live) -> None:
    room = await live.stage.room(extra={"power_level_content_override": {"invite": 100}})
    answer = await room.answer_to(await room.ask("!list updates"))
    assert answer["sender"] == live.users.main
    assert "Lycatra Updates" in answer["content"]["body"]
    assert (await room.settled(live.tables)).clean


async def test_a_device_that_was_deleted_is_made_again_for_one_answer(live: Live) -> None:
    room = await live.stage.room()
    await room.said_to("!list updates")
    updates, device = live.users.of("updates"), live.users.device_id
    deleted = await call_as(live.stage.site, updates, "DELETE", f"/devices/{device}")
    assert deleted.status == 200
    await room.said_to("!list updates limit=1")
    assert (await room.settled(live.tables)).clean
    devices = (await call_as(live.stage.site, updates, "GET", "/devices")).body["devices"]
    assert [each["device_id"] for each in devices] == [device]


async def test_nothing_is_ever_said_in_clear_in_an_encrypted_room(live: Live) -> None:
    state = {"type": "m.room.encryption", "state_key": "", "content": ENCRYPTION}
    room = await live.stage.room(extra={"initial_state": [state]})
    asked = await room.say("!list updates")
    await live.tables.until_state(asked, "done", "failed")
    await live.tables.until_idle()
    assert "Updates" not in str(ours_said(live, await room.events()))


async def test_a_room_encrypted_between_question_and_answer_gets_no_answer_in_clear(
    live: Live,
) -> None:
    room = await live.stage.room()
    live.gate.close()
    asked = await room.say("!get service status gate")
    await live.gate.reached()
    path = f"/rooms/{room.room_id}/state/m.room.encryption/"
    await room.person.call("PUT", path, ENCRYPTION)

    async def known() -> bool:
        rows = await live.tables.rows("SELECT id FROM room WHERE encrypted = 1")
        return room.room_id in {row["id"] for row in rows}

    await until(known, "the encryption of the room")
    live.gate.open()
    await live.tables.until_state(asked, "done", "failed")
    await live.tables.until_idle()
    assert "gate" not in str(ours_said(live, await room.events()))


async def test_a_homeserver_that_limits_our_rate_gets_every_answer_once_and_later(
    tmp_path: Path,
) -> None:
    limit = {"rc_message": {"per_second": 0.5, "burst_count": 2}}
    tables = Tables(sqlite_in(tmp_path))
    with running_site(overrides=limit, registration_keys={"rate_limited": True}) as site:
        async with (
            open_stage(site, tmp_path) as stage,
            await stage.replica(sqlite_in(tmp_path)) as replica,
        ):
            room = await stage.room()
            # By hand: the person would be limited, too.
            person = room.person.user_id
            events = [message(room.room_id, person, "!list updates") for _ in range(5)]
            room.asked += [EventID(event["event_id"]) for event in events]
            await stage.pusher(replica).push(events)
            await room.answers()
            await tables.until_idle()
            assert (await room.findings()).clean
            assert replica.records("send_later")
