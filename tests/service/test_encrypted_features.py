"""What works in clear rooms works in encrypted ones: cards, threads, edits, pictures, files."""

import base64
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.encrypted_site import PUSHES_KEYS, Phones, encryption, is_secret, told
from tests.support.model_server import ModelServer, model_server, says
from tests.support.more_tools.drawings.draw_chart import CHART
from tests.support.pictures import png
from tests.support.secret_person import SecretRoom
from tests.support.site import Site, running_site
from tests.support.stage import Stage, open_stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

OPERATOR = "operator"
PICTURE = png(4, 4)


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A service that reads encrypted rooms, and phones that talk to it."""

    stage: Stage
    model: ModelServer
    tables: Tables
    restarts: Path
    phones: Phones

    @property
    def lycatra(self) -> str:
        return str(self.stage.users.main)


@pytest.fixture(scope="module")
def secret_site() -> Iterator[Site]:
    with running_site(overrides=PUSHES_KEYS) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secret(
    secret_site: Site, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Secret]:
    folder = tmp_path_factory.mktemp("secret")
    restarts = folder / "restarts"
    write = "import sys; open(sys.argv[1], 'a').write('again ')"
    restart = {
        "service": "web",
        "kind": "command",
        "argv": [sys.executable, "-c", write, str(restarts)],
        "shown": "restart web",
    }
    server = secret_site.homeserver.server_name
    more = {
        **encryption(),
        "access": {"viewer": [f"*:{server}"], "operator": [f"*:{server}"]},
        "approvals": {"people": [f"@{OPERATOR}:{server}"]},
        "tools": {"services": {"restarts": [restart]}},
    }
    async with (
        model_server() as model,
        open_stage(secret_site, folder) as stage,
        AsyncExitStack() as stack,
    ):
        url = sqlite_in(folder)
        sees = {"base_url": model.base_url, "model": "scripted", "images": True}
        replica = await stage.replica(url, more={**more, "model": sees}, more_tools=True)
        await replica.start()
        yield Secret(
            stage=stage,
            model=model,
            tables=Tables(url),
            restarts=restarts,
            phones=Phones(stage, folder, stack),
        )


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def script(secret: Secret) -> AsyncIterator[None]:
    secret.model.forget()
    yield
    secret.model.check()


async def test_a_card_is_read_approved_by_a_reaction_and_edited_in_secret(secret: Secret) -> None:
    me = await secret.phones.new()
    boss = await secret.phones.new(await secret.stage.person(OPERATOR))
    room = await me.make_room(secret.lycatra, boss.user_id, is_direct=False)
    theirs = await boss.room(room.room_id)
    await room.until_joined(boss.user_id)

    asked = await room.say("!restart service web")
    card = await theirs.marked(asked, "card")
    await theirs.react(card["event_id"], "✅")

    await until(lambda: told(room, "and done"), "a card that says that it is done")
    assert secret.restarts.read_text() == "again "
    assert is_secret(secret.stage, room)


async def test_a_text_file_is_read_for_the_question_that_follows(secret: Secret) -> None:
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)
    await room.answer_to(await room.send_file("note.txt", "text/plain", b"the key is blue"))
    secret.model.will(says("Blue."))

    assert await room.said_to("what is the key?") == "Blue."

    assert "the key is blue" in secret.model.asked[0].said[0]
    assert is_secret(secret.stage, room)


async def test_what_we_send_as_a_file_can_be_opened_by_who_is_there(secret: Secret) -> None:
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)

    await room.answer_to(await room.say("!draw chart"))

    [image] = [
        event["content"]
        for event in await room.events()
        if event.get("content", {}).get("msgtype") == "m.image"
    ]
    assert "url" not in image
    assert await room.open_file(image) == CHART
    assert is_secret(secret.stage, room)


async def test_a_thread_goes_on_in_secret(secret: Secret) -> None:
    secret.model.will(says("It is fine."), says("Still fine."))
    me, *others = [await secret.phones.new() for _ in range(3)]
    people = [other.user_id for other in others]
    room = await me.make_room(secret.lycatra, *people, is_direct=False)
    for other in others:
        await other.room(room.room_id)
    await room.until_joined(*people)

    asked = await room.say("lycatra: is all well?")
    answer = await room.answer_to(asked)
    relation = answer["sealed"]["m.relates_to"]
    assert (relation["rel_type"], relation["event_id"]) == ("m.thread", asked)

    again = await room.say("and now?", **{"m.relates_to": relation})
    assert (await room.answer_to(again))["content"]["body"] == "Still fine."
    assert is_secret(secret.stage, room)


async def test_an_edit_of_what_was_answered_is_read_and_told_of(secret: Secret) -> None:
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)
    asked = await room.say("!help")
    await room.answer_to(asked)

    new = {"msgtype": "m.text", "body": "!whoami"}
    relation = {"rel_type": "m.replace", "event_id": asked}
    await room.say("* !whoami", **{"m.new_content": new, "m.relates_to": relation})

    await until(lambda: told(room, "ask in a new message"), "what to do about it")
    assert is_secret(secret.stage, room)


async def test_a_picture_is_shown_to_the_model(secret: Secret) -> None:
    secret.model.will(says("A black square."))
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)

    asked = await room.send_file("a.png", "image/png", PICTURE, "what is this?")

    assert (await room.answer_to(asked))["content"]["body"] == "A black square."
    [_, question] = secret.model.asked[0].messages
    shown = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
    assert [part["image_url"]["url"] for part in question["content"][1:]] == [shown]
    assert is_secret(secret.stage, room)


async def test_a_long_answer_of_letters_beyond_ascii_comes_whole(secret: Secret) -> None:
    words = [f"很长的回答{number}" for number in range(1200)]
    secret.model.will(says(" ".join(words)))
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)

    await room.answer_to(await room.say("tell me everything"))

    async def has_come() -> bool:
        return words[-1] in await said_by(room, secret.lycatra)

    await until(has_come, "the last word")
    said = await said_by(room, secret.lycatra)
    assert [word for word in words if word not in said] == []
    assert is_secret(secret.stage, room)


async def said_by(room: SecretRoom, user: str) -> str:
    """All that somebody has said there."""
    events = [event for event in await room.events() if event["sender"] == user]
    return " ".join(str(event.get("content")) for event in events)
