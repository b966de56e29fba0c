"""Twelve first messages of somebody who knows nothing about bots; each has a useful outcome."""

import asyncio
from collections.abc import Callable
from typing import Final

import pytest

from lycatra_appservice.model import JSON, EventID, RoomID
from tests.support.live import Live
from tests.support.model_server import is_silent, says
from tests.support.stage import Room
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

_ENCRYPTED: Final = {
    "initial_state": [
        {
            "type": "m.room.encryption",
            "state_key": "",
            "content": {"algorithm": "m.megolm.v1.aes-sha2"},
        }
    ]
}


async def seen(room: Room, live: Live, what: str, is_it: Callable[[JSON], bool]) -> JSON:
    """Wait for an event of ours in the room."""
    found: list[JSON] = []

    async def came() -> bool:
        ours = [each for each in await room.events() if live.users.is_ours(each["sender"])]
        found[:] = [event for event in ours if is_it(event)]
        return bool(found)

    await until(came, what)
    return found[0]


async def reaction_to(room: Room, live: Live, event_id: EventID) -> str:
    """Wait for a reaction of ours to an event."""

    def reacts(event: JSON) -> bool:
        relation = event["content"].get("m.relates_to", {})
        return bool(event["type"] == "m.reaction" and relation.get("event_id") == event_id)

    event = await seen(room, live, f"a reaction to {event_id}", reacts)
    return str(event["content"]["m.relates_to"]["key"])


async def edit(room: Room, event_id: EventID, body: str) -> None:
    """Write a message anew, as apps do."""
    new = {"msgtype": "m.text", "body": body, "m.mentions": {}}
    relation = {"rel_type": "m.replace", "event_id": event_id}
    content = {**new, "body": f"* {body}", "m.new_content": new, "m.relates_to": relation}
    await room.person.send_event(room.room_id, "m.room.message", content)


async def messages_to(room: Room, live: Live, event_id: EventID) -> list[JSON]:
    """All messages that answer an event, when no work is left."""
    await room.settled(live.tables)
    return [
        event
        for event in await room.events()
        if event["type"] == "m.room.message"
        and event["content"].get("org.lycatra.reply", {}).get("to") == event_id
    ]


def in_thread(root: EventID, body: str) -> JSON:
    """A message in a thread, as apps write it."""
    fallback = {"is_falling_back": True, "m.in_reply_to": {"event_id": root}}
    relation = {"rel_type": "m.thread", "event_id": root, **fallback}
    return {"msgtype": "m.text", "body": body, "m.mentions": {}, "m.relates_to": relation}


async def test_a_typed_name_is_a_question(live: Live) -> None:
    live.model.will(says("Nothing since Monday."))
    room = await live.stage.room(others=2)

    asked = await room.ask_as_is(
        {"msgtype": "m.text", "body": "Lycatra, what is new?", "m.mentions": {}}
    )

    answer = await room.answer_to(asked)
    assert answer["sender"] == live.users.main
    assert answer["content"]["body"].startswith("Nothing since Monday.")
    assert live.model.asked[0].said[-1].endswith(": what is new?")


async def test_a_slash_command_runs(live: Live) -> None:
    room = await live.stage.room(others=2)

    answer = await room.answer_to(await room.ask("/list updates"))

    assert answer["sender"] == live.users.of("updates")
    assert "Updates" in answer["content"]["body"]


@pytest.mark.parametrize("written", ["!lst updates", "!list updtes"])
async def test_a_typing_error_is_told_what_was_probably_meant(live: Live, written: str) -> None:
    room = await live.stage.room(others=0)

    assert "!list updates" in await room.said_to(written)


async def test_a_follow_up_in_the_thread_needs_no_name(live: Live) -> None:
    live.model.will(says("Three."), says("The first one."))
    room = await live.stage.room(others=2)
    first = await room.ask("lycatra: how many?")
    await room.answer_to(first)

    answer = await room.answer_to(await room.ask_as_is(in_thread(first, "and which was new?")))

    assert answer["content"]["body"] == "The first one."
    assert answer["content"]["m.relates_to"]["event_id"] == first
    assert live.model.asked[1].said[-2] == "Three."


async def test_thanks_are_taken_with_a_reaction_and_no_words(live: Live) -> None:
    live.model.will(says("Three."))
    room = await live.stage.room(others=0)
    await room.said_to("how many?")

    thanked = await room.say("thanks")

    assert await reaction_to(room, live, thanked)
    assert not await messages_to(room, live, thanked)


async def test_a_lone_emoji_is_taken_with_a_reaction_and_no_words(live: Live) -> None:
    room = await live.stage.room(others=0)

    sent = await room.say("\U0001f44d")

    assert await reaction_to(room, live, sent)
    assert not await messages_to(room, live, sent)


async def test_who_writes_german_reads_german(live: Live) -> None:
    live.model.will(says("Nichts Neues seit Montag."))
    room = await live.stage.room(others=0)

    assert await room.said_to("Was gibt es Neues?") == "Nichts Neues seit Montag."
    assert "Schreib einfach hier" in await room.said_to("hilfe bitte")


async def test_a_screenshot_is_answered_with_what_to_do_instead(live: Live) -> None:
    room = await live.stage.room(others=0)

    asked = await room.ask_as_is(
        {
            "msgtype": "m.image",
            "body": "screenshot.png",
            "url": "mxc://hs.test/picture",
            "info": {"mimetype": "image/png", "size": 20_000, "w": 800, "h": 600},
        }
    )

    body = (await room.answer_to(asked))["content"]["body"]
    assert len(body.splitlines()) == 1
    assert not live.model.asked


async def test_an_edit_while_the_answer_is_made_is_what_gets_answered(live: Live) -> None:
    live.model.will(is_silent(live.model), says("Twelve gigabytes."))
    room = await live.stage.room(others=0)
    asked = await room.ask("how much dsk is free?")
    await live.model.hanging.wait()

    corrected = "how much disk is free?"
    await edit(room, asked, corrected)

    assert (await room.answer_to(asked))["content"]["body"] == "Twelve gigabytes."
    assert live.model.asked[1].said[-1] == corrected
    assert len(await messages_to(room, live, asked)) == 1


async def test_an_edit_after_the_answer_is_told_to_be_too_late(live: Live) -> None:
    live.model.will(says("Twelve gigabytes."))
    room = await live.stage.room(others=0)
    await room.answer_to(await room.ask("how much dsk is free?"))

    await edit(room, room.asked[0], "how much memory is free?")

    def is_about_the_question(event: JSON) -> bool:
        relation = event["content"].get("m.relates_to", {})
        replied_to = relation.get("m.in_reply_to", {}).get("event_id")
        is_notice = event["content"].get("msgtype") == "m.notice"
        return bool(is_notice and replied_to == room.asked[0])

    line = (await seen(room, live, "a line on the edit", is_about_the_question))["content"]["body"]
    assert len(line.splitlines()) == 1


async def test_a_redacted_question_takes_its_answer_with_it(live: Live) -> None:
    live.model.will(says("It is swordfish."))
    room = await live.stage.room(others=0)
    asked = await room.say("what is the password?")
    answer = await room.answer_to(asked)

    await room.person.redact(room.room_id, asked)

    async def gone() -> bool:
        (event,) = [e for e in await room.events() if e["event_id"] == answer["event_id"]]
        return "body" not in event["content"]

    await until(gone, "the answer redacted")
    await live.tables.until_idle()
    rows = await live.tables.rows("SELECT * FROM history")
    assert not any("swordfish" in str(row["message"]) for row in rows)


async def test_a_voice_message_is_answered_with_what_to_do_instead(live: Live) -> None:
    room = await live.stage.room(others=0)

    asked = await room.ask_as_is(
        {
            "msgtype": "m.audio",
            "body": "Voice message.ogg",
            "url": "mxc://hs.test/voice",
            "info": {"mimetype": "audio/ogg", "size": 20_000, "duration": 4_000},
            "org.matrix.msc3245.voice": {},
            "org.matrix.msc1767.audio": {"duration": 4_000, "waveform": [1, 2]},
        }
    )

    body = (await room.answer_to(asked))["content"]["body"]
    assert len(body.splitlines()) == 1
    assert not live.model.asked


async def test_an_encrypted_direct_chat_leads_into_one_that_works(live: Live) -> None:
    live.model.will(says("Hello to you."))
    encrypted = await live.stage.room(others=0, extra=_ENCRYPTED)
    await encrypted.person.send_event(
        encrypted.room_id,
        "m.room.encrypted",
        {
            "algorithm": "m.megolm.v1.aes-sha2",
            "ciphertext": "AwgAEnACgAkLmt6qF84IK++J7UDH2Za1YVchHyprqTqsg",
            "device_id": "RJYKSTBOIE",
            "sender_key": "IlRMeOPX2e0MurIyfWEucYBRVOEEUMrOHqn/8mLqMjA",
            "session_id": "X3lUlvLELLYxeTx4yOVu6UDpasGEVO0Jbu+QFnm0cKQ",
        },
    )

    room_id = await _invitation(encrypted, live)
    await encrypted.person.join(room_id)
    direct = Room(room_id, encrypted.person)

    assert await direct.said_to("hello, are you there?") == "Hello to you."
    words = [e["content"].get("body", "") for e in await encrypted.events()]
    assert not any("Hello to you" in body for body in words)


async def _invitation(room: Room, live: Live) -> RoomID:
    """Wait until @lycatra invites the person of this room into another."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        since: dict[str, str] = {}
        while True:
            answer = await room.person.call("GET", "/sync", query={"timeout": "5000", **since})
            for room_id, invited in answer.get("rooms", {}).get("invite", {}).items():
                if any(e["sender"] == live.users.main for e in invited["invite_state"]["events"]):
                    return RoomID(room_id)
            since = {"since": answer["next_batch"]}
