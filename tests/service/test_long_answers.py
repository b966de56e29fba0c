"""Long answers and pictures on a real Synapse: who asked can open what was uploaded."""

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from lycatra_appservice.demo.people import Person, register_person
from lycatra_appservice.demo.person_client import PersonClient
from lycatra_appservice.model import JSON, EventID
from tests.support.model_server import ModelServer, calls, model_server, says
from tests.support.more_tools.drawings.draw_chart import CHART
from tests.support.more_tools.drawings.list_lines import table_of
from tests.support.site import Site
from tests.support.stage import Room, Stage, open_stage, sqlite_in
from tests.support.tables import Tables

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A running service whose tools make pictures and long lists."""

    stage: Stage
    model: ModelServer
    tables: Tables
    person: Person
    room: Room

    async def parts_of(self, event_id: EventID) -> Sequence[JSON]:
        """All messages of an answer, in order."""
        await self.room.answer_to(event_id)
        marked = [
            event
            for event in await self.room.events()
            if event.get("content", {}).get("org.lycatra.reply", {}).get("to") == event_id
        ]
        return sorted(marked, key=lambda each: each["content"]["org.lycatra.reply"]["part"])

    async def download(self, mxc: str) -> tuple[str, bytes]:
        """Type and bytes of a file, as the person's client gets them."""
        place = mxc.removeprefix("mxc://")
        url = f"{self.stage.site.homeserver.url}/_matrix/client/v1/media/download/{place}"
        headers = {"Authorization": f"Bearer {self.person.access_token}"}
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
            assert answer.status == 200
            return answer.content_type, await answer.read()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drawing(site: Site, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Drawing]:
    folder = tmp_path_factory.mktemp("drawing")
    async with model_server() as model, open_stage(site, folder) as stage:
        url = sqlite_in(folder)
        replica = await stage.replica(url, model_url=model.base_url, more_tools=True)
        async with replica:
            yield await _ready(stage, model, url)


async def _ready(stage: Stage, model: ModelServer, url: str) -> Drawing:
    name = f"person-{secrets.token_hex(4)}"
    person = await register_person(stage.site.homeserver, name, "password")
    client = await stage.enter(PersonClient(stage.site.homeserver.url, person))
    room = await stage.room(client)
    return Drawing(stage=stage, model=model, tables=Tables(url), person=person, room=room)


async def test_a_long_answer_is_a_summary_and_a_file_that_can_be_opened(drawing: Drawing) -> None:
    asked = await drawing.room.ask("!list lines")

    summary, file = await drawing.parts_of(asked)

    body = summary["content"]["body"]
    assert "2002 lines" in body
    assert "`list_lines.txt`" in body
    assert "line number 3" in body
    assert "line number 100" not in body
    assert body.endswith("there are no more")
    assert summary["sender"] == file["sender"]
    assert summary["sender"].startswith("@lycatra_drawings:")
    assert summary["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == asked
    content = file["content"]
    assert (content["msgtype"], content["filename"]) == ("m.file", "list_lines.txt")
    assert content["m.mentions"] == {}
    assert "org.lycatra.instead" not in content
    kind, data = await drawing.download(content["url"])
    assert kind == "text/plain"
    assert data.decode() == table_of(2000) + "\n"
    assert content["info"] == {"mimetype": "text/plain", "size": len(data)}


async def test_a_picture_of_a_tool_is_shown_as_one_with_its_words(drawing: Drawing) -> None:
    said, picture = await drawing.parts_of(await drawing.room.ask("!draw chart"))

    assert said["content"]["body"] == "2 points"
    content = picture["content"]
    assert content["msgtype"] == "m.image"
    assert content["body"] == "Two points, both black."
    assert content["filename"] == "chart.png"
    assert content["info"] == {"mimetype": "image/png", "size": len(CHART), "w": 2, "h": 1}
    assert await drawing.download(content["url"]) == ("image/png", CHART)


async def test_a_picture_that_the_agent_used_follows_its_answer(drawing: Drawing) -> None:
    drawing.model.will(calls(("draw_chart", "{}")), says("There are *two* points."))

    said, picture = await drawing.parts_of(await drawing.room.ask("lycatra: draw me a chart"))

    assert said["content"]["body"] == "There are two points."
    assert said["sender"] == picture["sender"] == drawing.stage.users.main
    assert picture["content"]["msgtype"] == "m.image"
    thread = said["content"]["m.relates_to"].get("event_id")
    assert picture["content"].get("m.relates_to", {}).get("event_id") == thread
    assert await drawing.download(picture["content"]["url"]) == ("image/png", CHART)


async def test_in_a_thread_the_file_stands_in_it_and_the_answer_is_a_genuine_reply(
    drawing: Drawing,
) -> None:
    root = await drawing.room.say("let us look at lines")
    relation = {"rel_type": "m.thread", "event_id": root}
    content = {"msgtype": "m.text", "body": "!list lines", "m.mentions": {}}

    asked = await drawing.room.ask_as_is({**content, "m.relates_to": relation})

    summary, file = (each["content"] for each in await drawing.parts_of(asked))
    reply = {**relation, "m.in_reply_to": {"event_id": asked}}
    assert summary["m.relates_to"] == {**reply, "is_falling_back": False}
    assert file["m.relates_to"] == {**reply, "is_falling_back": True}


async def test_what_fits_into_a_chat_is_no_file(drawing: Drawing) -> None:
    asked = await drawing.room.ask("!list lines lines=50")

    (only,) = await drawing.parts_of(asked)

    assert "line number 49" in only["content"]["body"]
    findings = await drawing.room.settled(drawing.tables)
    assert (findings.lost, findings.doubled, findings.disordered) == ((), (), ())
