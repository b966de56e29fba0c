"""What people attach and reply to, on a real Synapse: read with its rights, forgotten with it."""

import base64
import json

import aiohttp
import pytest

from lycatra_appservice.demo.people import PersonClient, register_person
from lycatra_appservice.model import JSON, EventID
from tests.support.live import Live
from tests.support.model_server import says
from tests.support.pictures import png
from tests.support.stage import Room
from tests.support.tables import Tables
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PICTURE = png(4, 4)
URL = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"


async def uploaded(live: Live, data: bytes) -> str:
    """The media id of something that a person has uploaded."""
    homeserver = live.stage.site.homeserver
    person = await register_person(homeserver, "uploader", "password")
    address = f"{homeserver.url.rstrip('/')}/_matrix/media/v3/upload"
    headers = {"Authorization": f"Bearer {person.access_token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(address, data=data) as answer,
    ):
        return str((await answer.json())["content_uri"])


def brought(name: str, mxc: str, mimetype: str, caption: str) -> dict[str, JSON]:
    msgtype = "m.image" if mimetype.startswith("image/") else "m.file"
    info = {"mimetype": mimetype}
    return {"msgtype": msgtype, "body": caption, "filename": name, "url": mxc, "info": info}


async def direct(live: Live) -> Room:
    return await live.stage.room(others=0)


async def test_a_picture_is_downloaded_from_synapse_and_shown_to_the_model(live: Live) -> None:
    room = await direct(live)
    mxc = await uploaded(live, PICTURE)
    live.model.will(says("A black square."))

    asked = await room.ask_as_is(brought("a.png", mxc, "image/png", "what is this?"))
    answer = await room.answer_to(asked)

    assert answer["content"]["body"] == "A black square."
    [_, question] = live.model.asked[0].messages
    assert [part["image_url"]["url"] for part in question["content"][1:]] == [URL]


async def test_a_text_file_alone_is_read_for_the_question_that_follows(live: Live) -> None:
    room = await direct(live)
    mxc = await uploaded(live, b"the key is blue")
    shown = await room.person.send_event(
        room.room_id, "m.room.message", brought("a.txt", mxc, "text/plain", "a.txt")
    )
    await room.answer_to(shown)
    live.model.will(says("Blue."))

    assert await room.said_to("what is the key?") == "Blue."
    assert "the key is blue" in live.model.asked[0].said[0]


async def test_a_message_that_is_replied_to_is_read_until_it_is_deleted(live: Live) -> None:
    room = await live.stage.room()
    there = await room.say("the colour is swordfish")
    live.model.will(says("A fish."), says("I cannot see it."))
    await asked_about(room, there)
    assert "the colour is swordfish" in live.model.asked[0].said[0]

    await room.person.redact(room.room_id, there)
    await until_forgotten(live.tables, "swordfish")

    await asked_about(room, there)
    assert "swordfish" not in json.dumps(live.model.asked[1].body)


async def test_who_came_later_cannot_have_read_what_the_room_hides_from_him(live: Live) -> None:
    person = await live.stage.person()
    extra = {
        "initial_state": [
            {
                "type": "m.room.history_visibility",
                "state_key": "",
                "content": {"history_visibility": "joined"},
            }
        ]
    }
    room = await live.stage.room(person, extra=extra)
    there = await room.say("the colour is swordfish")
    late = await joined(live, room)
    live.model.will(says("I cannot see it."))
    relation = {"m.in_reply_to": {"event_id": there}}
    content = {"msgtype": "m.text", "body": "lycatra: what is this?", "m.relates_to": relation}

    asked = await late.send_event(room.room_id, "m.room.message", content)
    await room.answer_to(asked)

    assert "swordfish" not in json.dumps(live.model.asked[0].body)


async def joined(live: Live, room: Room) -> PersonClient:
    late = await live.stage.person()
    await room.person.invite(room.room_id, late.user_id)
    await late.join(room.room_id)
    return late


async def asked_about(room: Room, there: EventID) -> JSON:
    relation = {"m.in_reply_to": {"event_id": there}}
    content = {"msgtype": "m.text", "body": "lycatra: what is this?", "m.relates_to": relation}
    return await room.answer_to(await room.ask_as_is(content))


async def until_forgotten(tables: Tables, word: str) -> None:
    async def gone() -> bool:
        read = await tables.rows(
            "SELECT message AS text FROM history UNION ALL SELECT output FROM step"
        )
        return word not in str([row["text"] for row in read])

    await until(gone, f"{word!r} to be forgotten")
