"""Encrypted rooms on a real Synapse: one notice, one direct chat, nothing else in clear."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON
from tests.support.encrypted import (
    CANNOT_READ,
    direct_chats,
    encrypt,
    encrypted_room,
    first_words,
    only_the_notice,
    opened_for,
    ours,
    whisper,
)
from tests.support.ghost import call_as
from tests.support.live import REFUSED, Live
from tests.support.site import running_site
from tests.support.stage import Room, open_stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def test_an_encrypted_direct_chat_leads_to_one_that_answers(live: Live) -> None:
    person = await live.stage.person()
    room = await encrypted_room(live.stage, person)
    for _ in range(3):
        await whisper(room)

    assert "I opened a direct chat" in await only_the_notice(live.stage, room, live.tables)
    chat = await opened_for(live.stage, person, live.tables)
    words = (await first_words(live.stage, chat)).split("\n")
    assert words[0] == f"{CANNOT_READ}, so I opened this one. Ask me here."
    assert len(words) <= 4
    assert "!list updates" in await chat.said_to("!help")

    # Twice more, and by another room: nothing new.
    await whisper(room)
    second = await encrypted_room(live.stage, person)
    await only_the_notice(live.stage, second, live.tables)
    await live.tables.until_idle()
    assert await direct_chats(person) == []
    assert len(await notices(live, room)) == 1


async def notices(live: Live, room: Room) -> Sequence[JSON]:
    events = ours(live.stage, await room.events())
    return [event for event in events if event["type"] == "m.room.message"]


async def test_in_the_direct_chat_the_person_is_admin_and_clients_know_what_it_is(
    live: Live,
) -> None:
    person = await live.stage.person()
    await encrypted_room(live.stage, person)
    chat = await opened_for(live.stage, person, live.tables)

    state = await person.call("GET", f"/rooms/{chat.room_id}/state")
    contents = {(event["type"], event["state_key"]): event["content"] for event in state}
    assert contents["m.room.power_levels", ""]["users"][person.user_id] == 100
    invitation = next(
        event
        for event in await chat.events()
        if event["type"] == "m.room.member"
        and event["state_key"] == person.user_id
        and event["content"]["membership"] == "invite"
    )
    assert invitation["content"]["is_direct"] is True
    # They may do as in a room of their own.
    await person.call("PUT", f"/rooms/{chat.room_id}/state/m.room.name/", {"name": "Ours"})


async def test_a_group_that_becomes_encrypted_is_told_once(live: Live) -> None:
    room = await live.stage.room()
    await room.said_to("!list updates")
    await live.tables.until_idle()
    before = len(ours(live.stage, await room.events()))
    await encrypt(room)
    for _ in range(3):
        await whisper(room)

    async def told() -> bool:
        return CANNOT_READ in str(ours(live.stage, await room.events()))

    await until(told, "the notice")
    asked = await room.say("!list updates")
    await live.tables.until_state(asked, "done", "failed")
    await live.tables.until_idle()
    after = ours(live.stage, await room.events())[before:]
    assert [event["content"]["body"][: len(CANNOT_READ)] for event in after] == [CANNOT_READ]
    assert "I wrote to whoever invited me" in after[0]["content"]["body"]
    await opened_for(live.stage, room.person, live.tables)


async def test_a_direct_chat_that_becomes_encrypted_is_followed_by_another(live: Live) -> None:
    person = await live.stage.person()
    await encrypted_room(live.stage, person)
    first = await opened_for(live.stage, person, live.tables)
    await encrypt(first)
    await whisper(first)

    second = await opened_for(live.stage, person, live.tables)
    assert second.room_id != first.room_id
    assert "Ask me here." in await first_words(live.stage, second)
    assert "!list updates" in await second.said_to("!help")


async def test_who_may_not_ask_is_not_written_to(live: Live) -> None:
    """Somebody else invites, and a stranger encrypts and writes."""
    stranger = await live.stage.person(REFUSED)
    anybody = {"events": {"m.room.encryption": 0}}
    room = await live.stage.room(extra={"power_level_content_override": anybody})
    await room.person.invite(room.room_id, stranger.user_id)
    await stranger.join(room.room_id)
    theirs = Room(room.room_id, stranger)
    await encrypt(theirs)
    await whisper(theirs)

    async def told() -> bool:
        return CANNOT_READ in str(ours(live.stage, await room.events()))

    await until(told, "the notice")
    await live.tables.until_idle()
    assert await direct_chats(stranger) == []


async def test_where_every_room_is_encrypted_the_notice_says_what_to_do(tmp_path: Path) -> None:
    overrides: dict[str, JSON] = {"encryption_enabled_by_default_for_room_type": "invite"}
    tables = Tables(sqlite_in(tmp_path))
    with running_site(overrides=overrides) as site:
        async with (
            open_stage(site, tmp_path) as stage,
            await stage.replica(sqlite_in(tmp_path)),
        ):
            person = await stage.person()
            room = await encrypted_room(stage, person)
            said = await only_the_notice(stage, room, tables)
            assert "ask the admin of your homeserver" in said
            assert await direct_chats(person) == []
            # Nothing is left of the try.
            left = (await call_as(site, site.users.main, "GET", "/joined_rooms")).body
            control = [each for each in left["joined_rooms"] if each != room.room_id]
            assert len(control) <= 1  # the heartbeat's


async def test_so_many_that_rooms_may_not_be_made_as_fast_get_theirs_later(
    tmp_path: Path,
) -> None:
    overrides: dict[str, JSON] = {"rc_room_creation": {"per_second": 0.3, "burst_count": 2}}
    tables = Tables(sqlite_in(tmp_path))
    with running_site(overrides=overrides, registration_keys={"rate_limited": True}) as site:
        async with (
            open_stage(site, tmp_path) as stage,
            await stage.replica(sqlite_in(tmp_path)) as replica,
        ):
            people = [await stage.person() for _ in range(5)]
            rooms = [await encrypted_room(stage, person) for person in people]
            for room in rooms:
                await only_the_notice(stage, room, tables)
            for person in people:
                await opened_for(stage, person, tables)
            assert replica.records("send_later")
