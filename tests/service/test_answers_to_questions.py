"""Questions: what the model is asked, how its answer comes, and what is said without it."""

import asyncio
import json

import pytest
from aiohttp import web

from lycatra_appservice.demo.timeline import Timeline
from lycatra_appservice.model import JSON
from tests.support.live import REFUSED, Live
from tests.support.model_server import Asked, Reply, calls, is_silent, refuses, says, writes
from tests.support.pushes import token_of
from tests.support.stage import Room

pytestmark = pytest.mark.asyncio(loop_scope="module")


def tool_names(asked: Asked) -> set[str]:
    return {tool["function"]["name"] for tool in asked.body["tools"]}


def says_after(event: asyncio.Event, text: str) -> Reply:
    async def reply(asked: Asked) -> web.StreamResponse:
        await event.wait()
        return await says(text)(asked)

    return reply


async def test_a_question_is_answered_in_prose_from_what_a_tool_gave(live: Live) -> None:
    live.model.will(calls(("list_updates", '{"limit": 1}')), says("There was **one** update."))
    room = await live.stage.room()
    asked = await room.ask("@lycatra what is new?")
    answer = await room.answer_to(asked)
    assert answer["sender"] == live.users.main
    assert answer["content"]["msgtype"] == "m.text"
    assert answer["content"]["body"] == "There was one update."
    assert "<strong>one</strong>" in answer["content"]["formatted_body"]
    assert answer["content"]["m.mentions"] == {"user_ids": [room.person.user_id]}
    assert (await room.settled(live.tables)).clean
    first, second = live.model.asked
    assert first.said[-1] == f"{room.person.user_id}: what is new?"
    assert second.messages[-1]["role"] == "tool"
    assert "updates" in second.messages[-1]["content"]


async def test_the_model_is_offered_the_tools_and_never_a_secret(live: Live) -> None:
    live.model.will(says("Hello."))
    room = await live.stage.room()
    await room.said_to("lycatra: hello")
    (asked,) = live.model.asked
    assert tool_names(asked) >= {"list_updates", "get_service_status", "help"}
    registration = live.stage.site.registration
    for name in ("as_token", "hs_token"):
        assert token_of(registration, name) not in json.dumps(asked.body)


async def test_a_virtual_user_that_is_asked_has_only_its_own_tools(live: Live) -> None:
    live.model.will(says("Nothing new."))
    updates = live.users.of("updates")
    room = await live.stage.room(invite=[live.users.main, updates])
    answer = await room.answer_to(await room.ask("@lycatra_updates anything new this week?"))
    assert answer["sender"] == updates
    (asked,) = live.model.asked
    assert tool_names(asked) == {"list_updates"}


async def test_a_dm_needs_no_name_and_is_remembered(live: Live) -> None:
    live.model.will(says("I am well."), says("I said that I am well."))
    room = await live.stage.room(others=0)
    await room.said_to("how are you?")
    answer = await room.answer_to(await room.ask("what did you say?"))
    assert answer["content"]["m.mentions"] == {}
    assert (await room.settled(live.tables)).clean
    texts = live.model.asked[1].said
    assert texts == ["how are you?", "I am well.", "what did you say?"]


async def test_another_room_knows_nothing_of_a_conversation(live: Live) -> None:
    live.model.will(says("Noted."), says("I do not know."))
    person = await live.stage.person()
    first = await live.stage.room(person, others=0)
    await first.said_to("the password is swordfish")
    second = await live.stage.room(person, others=0)
    await second.said_to("what is the password?")
    assert "swordfish" not in json.dumps(live.model.asked[1].body)


async def test_an_answer_that_is_replied_to_goes_on_without_a_name(live: Live) -> None:
    live.model.will(says("Three."), says("Four."))
    room = await live.stage.room()
    first = await room.answer_to(await room.ask("lycatra, how many?"))
    relation = {"m.in_reply_to": {"event_id": first["event_id"]}}
    content: dict[str, JSON] = {"msgtype": "m.text", "body": "and now?", "m.mentions": {}}
    asked = await room.ask_as_is({**content, "m.relates_to": relation})
    assert (await room.answer_to(asked))["content"]["body"] == "Four."


async def test_a_model_that_is_away_is_told_in_one_clear_line(live: Live) -> None:
    live.model.will(refuses(401, {"message": "your key sk-secret is wrong"}))
    room = await live.stage.room()
    body = await room.said_to("lycatra: are you there?")
    assert "language model" in body
    assert "sk-secret" not in body
    assert "\n" not in body.strip()
    assert (await room.settled(live.tables)).clean


async def test_a_question_that_waits_for_the_model_delays_no_command(live: Live) -> None:
    live.model.will(is_silent(live.model))
    room = await live.stage.room()
    asked = await room.say("lycatra: think about it")
    async with asyncio.timeout(30):
        await live.model.hanging.wait()
    assert "!list updates" in await room.said_to("!help")
    turn = await live.tables.turn(asked)
    assert turn is not None
    assert turn["state"] == "running"
    # The model loses the connection: the person reads that, and the lane is free again.
    live.model.will(refuses(401))
    for connection in live.model.connections:
        connection.abort()
    await room.answer_to(asked)


async def test_questions_of_a_conversation_are_answered_in_the_order_asked(live: Live) -> None:
    slow = asyncio.Event()
    live.model.will(writes(slow, end="cut"), says("First."), says("Second."))
    room = await live.stage.room(others=0)
    await room.ask("first?")
    await room.ask("second?")
    await live.tables.until_stored(room.asked[1])
    slow.set()
    bodies = [answer["content"]["body"] for answer in await room.answers()]
    assert bodies == ["First.", "Second."]
    assert (await room.findings()).clean


async def test_typing_is_shown_while_the_model_works_and_cleared_after_it(live: Live) -> None:
    said = asyncio.Event()
    live.model.will(says_after(said, "Done thinking."))
    room = await live.stage.room()
    timeline = await room.person.timeline()
    asked = await room.ask("lycatra: think")
    async with asyncio.timeout(45):
        while live.users.main not in await _next_typing(timeline, room):
            pass
    said.set()
    async with asyncio.timeout(25):  # left alone, the notice would end after 30 seconds
        while await _next_typing(timeline, room):
            pass
    assert (await room.answer_to(asked))["content"]["body"] == "Done thinking."


async def test_a_question_of_a_person_without_rights_is_refused_without_the_model(
    live: Live,
) -> None:
    stranger = await live.stage.person(REFUSED)
    room = await live.stage.room()
    await room.person.invite(room.room_id, stranger.user_id)
    await stranger.join(room.room_id)
    asked = await stranger.send_text(room.room_id, "lycatra: what is new?")
    body = (await room.answer_to(asked))["content"]["body"]
    assert "no rights" in body
    assert "\n" not in body.strip()
    assert not live.model.asked


async def _next_typing(timeline: Timeline, room: Room) -> list[str]:
    """Who types in the room when that changes the next time."""
    async for room_id, event in timeline:
        if room_id == room.room_id and event["type"] == "m.typing":
            return list(event["content"]["user_ids"])
    raise AssertionError("a timeline never ends")
