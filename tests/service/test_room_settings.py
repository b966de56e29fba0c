"""`!settings` on a real homeserver: who may change them, and what changes."""

import pytest

from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.model import JSON, EventID
from tests.support.live import Live
from tests.support.model_server import says
from tests.support.stage import Room

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def asked_in(room: Room, question: str) -> tuple[EventID, JSON]:
    """A question, and how its answer hangs on it."""
    asked = await room.ask(question)
    return asked, (await room.answer_to(asked))["content"]["m.relates_to"]


async def told(room: Room, person: PersonClient, words: str) -> str:
    """What this person is told who writes that."""
    asked = await person.send_text(room.room_id, words)
    return str((await room.answer_to(asked))["content"]["body"])


async def a_member(live: Live, room: Room) -> PersonClient:
    """An ordinary one, who joins now."""
    member = await live.stage.person()
    await room.person.invite(room.room_id, member.user_id)
    await member.join(room.room_id)
    return member


async def test_a_room_admin_moves_the_answers_out_of_threads_and_back(live: Live) -> None:
    live.model.will(says("One."), says("Two."), says("Three."))
    room = await live.stage.room(others=2)

    asked, threaded = await asked_in(room, "lycatra: one?")
    changed = await room.said_to("!settings reply plain")
    _, plain = await asked_in(room, "lycatra: two?")
    await room.said_to("!settings reply default")
    asked_again, threaded_again = await asked_in(room, "lycatra: three?")

    assert (threaded["rel_type"], threaded["event_id"]) == ("m.thread", asked)
    assert "`reply` is plain here" in changed
    assert "rel_type" not in plain
    assert (threaded_again["rel_type"], threaded_again["event_id"]) == ("m.thread", asked_again)


async def test_a_direct_chat_gets_threads_where_its_person_wants_them(live: Live) -> None:
    live.model.will(says("One."), says("Two."))
    room = await live.stage.room(others=0)

    _, plain = await asked_in(room, "one?")
    await room.said_to("!settings reply=thread")
    asked, threaded = await asked_in(room, "two?")

    assert "rel_type" not in plain
    assert (threaded["rel_type"], threaded["event_id"]) == ("m.thread", asked)


async def test_an_ordinary_member_is_refused_and_told_whom_to_ask(live: Live) -> None:
    room = await live.stage.room()
    member = await a_member(live, room)

    refused = await told(room, member, "!settings reply thread")

    assert "Nothing is changed" in refused
    assert room.person.localpart in refused
    assert "chosen here" not in await room.said_to("!settings")


async def test_who_is_made_a_moderator_may_change_settings_from_then_on(live: Live) -> None:
    room = await live.stage.room()
    member = await a_member(live, room)
    path = f"/rooms/{room.room_id}/state/m.room.power_levels"
    levels = await room.person.call("GET", path)
    levels["users"][member.user_id] = 50
    await room.person.call("PUT", path, levels)

    assert "`tables` is list here" in await told(room, member, "!settings tables list")
    assert "is 50; you may change" in await told(room, member, "!whoami")


async def test_settings_of_one_room_are_none_of_another(live: Live) -> None:
    first = await live.stage.room(others=0)
    second = await live.stage.room(first.person, others=0)

    await first.said_to("!settings language de")

    assert "So verhalte ich mich hier" in await first.said_to("!settings")
    assert "How I behave here" in await second.said_to("!settings")
