"""Edits, redactions and stops in every state of a question, on a real Synapse."""

import asyncio
import secrets

import pytest
from aiohttp import web

from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.model import EventID, RoomID
from tests.support.live import Live
from tests.support.model_server import Asked, Reply, is_silent, says
from tests.support.revising import (
    answers_to,
    edit,
    in_the_room,
    readable,
    until_ended,
    until_forgotten,
)
from tests.support.stage import HELP, Room

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


def says_after(event: asyncio.Event, text: str) -> Reply:
    async def reply(asked: Asked) -> web.StreamResponse:
        await event.wait()
        return await says(text)(asked)

    return reply


def last_words(asked: Asked) -> str:
    return asked.said[-1].rpartition(".test: ")[2]  # without who wrote it


async def thinking(live: Live, room: Room, text: str) -> EventID:
    """Ask something that the model never answers, and wait until it is asked."""
    live.model.will(is_silent(live.model))
    question = await room.say(text)
    async with asyncio.timeout(30):
        await live.model.hanging.wait()
    return question


# --- edits ---


async def test_a_question_that_waits_is_answered_once_by_its_newest_words(live: Live) -> None:
    free = asyncio.Event()
    live.model.will(says_after(free, "First."), says("Second."))
    room = await live.stage.room()
    first = await room.say("lycatra: one")
    await live.tables.until_state(first, "running")
    second = await room.say("lycatra: two")
    await live.tables.until_stored(second)
    changes = [await edit(room, second, f"lycatra: {words}") for words in ("three", "four")]
    for change in changes:
        await until_ended(live.tables, change)
    free.set()

    await room.answer_to(second)

    await room.said_to(HELP)
    await live.tables.until_idle()
    assert await answers_to(room, second) == ["Second."]
    assert [last_words(asked) for asked in live.model.asked] == ["one", "four"]


async def test_a_question_that_is_being_answered_begins_anew_with_its_new_words(
    live: Live,
) -> None:
    room = await live.stage.room()
    question = await thinking(live, room, "lycatra: what is gnu?")
    live.model.will(says("Nothing is new."))
    await edit(room, question, "lycatra: what is new?")

    async with asyncio.timeout(30):
        await live.model.client_left.wait()  # nobody listens to the old answer any more
    await room.answer_to(question)

    await room.said_to(HELP)
    await live.tables.until_idle()
    assert await answers_to(room, question) == ["Nothing is new."]
    assert [last_words(asked) for asked in live.model.asked] == ["what is gnu?", "what is new?"]
    assert "what is gnu" not in await readable(live.tables)


async def test_a_question_that_becomes_a_command_while_it_is_answered_is_run_as_one(
    live: Live,
) -> None:
    room = await live.stage.room()
    question = await thinking(live, room, "lycatra: list updates")
    await edit(room, question, "!list updates limit=1")

    answer = await room.answer_to(question)

    assert answer["sender"] == live.users.of("updates")
    await room.said_to(HELP)
    assert len(await answers_to(room, question)) == 1


async def test_after_the_answer_one_line_says_so_once(live: Live) -> None:
    room = await live.stage.room()
    question = await room.ask(HELP)
    await room.answer_to(question)
    late = await edit(room, question, "!list updates limit=1")

    line = await room.answer_to(late)

    assert "new message" in line["content"]["body"]
    assert line["content"]["msgtype"] == "m.notice"
    await until_ended(live.tables, await edit(room, question, "!list updates limit=2"))
    await until_ended(live.tables, await edit(room, question, HELP))
    await live.tables.until_idle()
    ours = [each for each in await room.events() if each["sender"] in live.users.all]
    said = [each["content"].get("body") for each in ours]
    assert said.count(line["content"]["body"]) == 1


async def test_a_message_that_was_not_for_us_becomes_a_question_by_its_edit(live: Live) -> None:
    room = await live.stage.room()
    said = await room.say("list updates please")
    await until_ended(live.tables, said)

    await edit(room, said, "!list updates limit=1")

    answer = await room.answer_to(said)
    assert answer["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == said


async def test_nobody_can_change_the_question_of_somebody_else(live: Live) -> None:
    room = await live.stage.room()
    other = await live.stage.person()
    await room.person.invite(room.room_id, other.user_id)
    await other.join(room.room_id)
    free = asyncio.Event()
    live.model.will(says_after(free, "First."), says("Second."))
    first = await room.say("lycatra: one")
    await live.tables.until_state(first, "running")
    question = await room.say("lycatra: two")
    await live.tables.until_stored(question)
    forged = await edit(Room(room.room_id, other), question, "lycatra: three")
    await until_ended(live.tables, forged)
    free.set()

    await room.answer_to(question)

    assert [last_words(asked) for asked in live.model.asked] == ["one", "two"]
    assert await answers_to(room, question) == ["Second."]


# --- redactions ---


async def test_a_question_that_waits_is_taken_back_without_a_trace(live: Live) -> None:
    nonce = secrets.token_hex(8)
    free = asyncio.Event()
    live.model.will(says_after(free, "First."))
    room = await live.stage.room()
    first = await room.say("lycatra: one")
    await live.tables.until_state(first, "running")
    question = await room.say(f"lycatra: {nonce}")
    await live.tables.until_stored(question)
    await room.person.redact(room.room_id, question)
    await until_forgotten(live.tables, question)
    free.set()

    await room.answer_to(first)

    await live.tables.until_idle()
    assert not await answers_to(room, question)
    assert nonce not in await in_the_room(room)
    assert nonce not in await readable(live.tables)


async def test_a_question_that_is_being_answered_ends_and_is_forgotten(live: Live) -> None:
    nonce = secrets.token_hex(8)
    room = await live.stage.room(others=0)
    question = await thinking(live, room, f"think about {nonce}")

    await room.person.redact(room.room_id, question)

    async with asyncio.timeout(30):
        await live.model.client_left.wait()
    await until_forgotten(live.tables, question)
    await room.said_to(HELP)
    assert not await answers_to(room, question)
    assert nonce not in await in_the_room(room)
    assert nonce not in await readable(live.tables)


async def test_an_answer_goes_with_its_question_and_with_every_copy(live: Live) -> None:
    nonce = secrets.token_hex(8)
    live.model.will(says(f"It is {nonce}."), says("I know it."), says("What?"))
    room = await live.stage.room(others=0)
    question = await room.ask(f"the word is {nonce}")
    answer = await room.answer_to(question)
    await room.said_to("do you know it?")
    assert nonce in await readable(live.tables)

    await room.person.redact(room.room_id, question)

    await until_forgotten(live.tables, question)
    assert nonce not in await in_the_room(room)
    assert nonce not in await readable(live.tables)
    [gone] = [each for each in await room.events() if each["event_id"] == answer["event_id"]]
    assert gone["unsigned"]["redacted_because"]["sender"] == answer["sender"]
    await room.said_to("and now?")
    assert nonce not in str(live.model.asked[-1].body)


async def test_a_moderator_takes_a_question_back_and_its_answer_goes_too(live: Live) -> None:
    nonce = secrets.token_hex(8)
    room = await live.stage.room()
    asker = await joined(live, room)
    question = await Room(room.room_id, asker).say(f"!list updates {nonce}")
    await room.answer_to(question)

    await room.person.redact(room.room_id, question)

    await until_forgotten(live.tables, question)
    assert nonce not in await in_the_room(room)
    assert nonce not in await readable(live.tables)


async def test_an_answer_that_a_moderator_takes_away_is_forgotten_here_too(live: Live) -> None:
    nonce = secrets.token_hex(8)
    live.model.will(says(f"It is {nonce}."))
    room = await live.stage.room()
    answer = await room.answer_to(await room.ask("lycatra: what is the word?"))

    await room.person.redact(room.room_id, EventID(answer["event_id"]))

    await until_forgotten(live.tables, answer["event_id"])
    assert nonce not in await in_the_room(room)
    assert nonce not in await readable(live.tables)


async def test_when_an_edit_is_taken_back_the_original_words_are_answered(live: Live) -> None:
    nonce = secrets.token_hex(8)
    free = asyncio.Event()
    live.model.will(says_after(free, "First."), says("Second."))
    room = await live.stage.room()
    first = await room.say("lycatra: one")
    await live.tables.until_state(first, "running")
    question = await room.say("lycatra: two")
    change = await edit(room, question, f"lycatra: {nonce}")
    await until_ended(live.tables, change)
    assert nonce in await readable(live.tables)

    await room.person.redact(room.room_id, change)

    await until_forgotten(live.tables, change)
    assert nonce not in await readable(live.tables)
    free.set()
    await room.answer_to(question)
    assert [last_words(asked) for asked in live.model.asked] == ["one", "two"]
    assert await answers_to(room, question) == ["Second."]


# --- stopping ---


async def test_a_stop_ends_what_runs_and_one_line_says_so(live: Live) -> None:
    room = await live.stage.room()
    question = await thinking(live, room, "lycatra: think")

    line = await room.said_to("!stop")

    assert line == "I have stopped. Nothing more will come of it."
    async with asyncio.timeout(30):
        await live.model.client_left.wait()
    await live.tables.until_state(question, "cancelled")
    assert not await answers_to(room, question)


async def test_a_stop_sign_ends_a_question_and_one_line_says_so(live: Live) -> None:
    room = await live.stage.room()
    question = await thinking(live, room, "lycatra: think")

    await room.person.react(room.room_id, question, "🛑")

    async with asyncio.timeout(30):
        await live.model.client_left.wait()
    await live.tables.until_state(question, "cancelled")
    await live.tables.until_idle()
    assert not await answers_to(room, question)
    assert await said_unless_welcome(live, room) == [
        "I have stopped. Nothing more will come of it."
    ]


async def said_unless_welcome(live: Live, room: Room) -> list[str]:
    return [
        each["content"]["body"]
        for each in await room.events()
        if each["sender"] in live.users.all
        and each["type"] == "m.room.message"
        and "org.lycatra.choices" not in each["content"]
    ]


async def joined(live: Live, room: Room) -> PersonClient:
    """One more person in the room."""
    person = await live.stage.person()
    await room.person.invite(room.room_id, person.user_id)
    await person.join(RoomID(room.room_id))
    return person
