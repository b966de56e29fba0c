"""Edits and redactions while an answer is on its way, and while we are away."""

import secrets

import pytest

from lycatra_appservice.model import EventID
from tests.support.proxy import Mode
from tests.support.revising import (
    answers_to,
    edit,
    in_the_room,
    readable,
    until_forgotten,
)
from tests.support.stage import HELP, Room, Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until


class Held:
    """A replica whose messages reach Synapse while the answers of Synapse wait."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.url = sqlite_in(stage.folder)
        self.tables = Tables(self.url)

    async def half_sent(self, text: str) -> tuple[Room, EventID]:
        """Ask, and return when the answer stands in the room and nobody here knows it."""
        self.proxy = await self.stage.homeserver_proxy()
        self.replica = await self.stage.replica(self.url, homeserver_url=self.proxy.url)
        await self.replica.start()
        room = await self.stage.room()
        await room.said_to(HELP)
        await self.tables.until_idle()
        self.proxy.set(Mode.HOLD_ANSWERS, only="/send/m.room.message/")
        question = await room.say(text)

        async def arrived() -> bool:
            return bool(await answers_to(room, question))

        await until(arrived, "an answer that nobody here knows of")
        await self.tables.until_state(question, "sending")
        return room, question


@pytest.mark.slow
async def test_an_edit_during_the_sending_comes_too_late(stage: Stage) -> None:
    held = Held(stage)
    room, question = await held.half_sent("!list updates limit=1")
    change = await edit(room, question, "!list updates limit=2")

    await held.tables.until_stored(change)
    held.proxy.set(Mode.PASS)

    await room.answer_to(change)
    await held.tables.until_idle()
    assert len(await answers_to(room, question)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("crash", [False, True])
async def test_what_was_on_its_way_when_the_question_was_taken_back_is_found(
    stage: Stage, *, crash: bool
) -> None:
    nonce = secrets.token_hex(8)
    held = Held(stage)
    room, question = await held.half_sent(f"!list updates {nonce}")
    if crash:
        held.replica.kill()
    await room.person.redact(room.room_id, question)
    if crash:
        held.proxy.set(Mode.PASS)
        await held.replica.start()
    else:
        await held.tables.until_state(question, "cancelled")
        held.proxy.set(Mode.PASS)

    await until_forgotten(held.tables, question)

    assert nonce not in await in_the_room(room)
    assert nonce not in await readable(held.tables)
    assert not await answers_to(room, question)


@pytest.mark.slow
async def test_a_question_changed_while_we_are_away_is_answered_by_its_newest_words(
    stage: Stage,
) -> None:
    url = sqlite_in(stage.folder)
    replica = await stage.replica(url)
    await replica.start()
    room = await stage.room()
    await room.said_to(HELP)
    replica.kill()
    question = await room.say("!list updates limit=1")
    await edit(room, question, HELP)
    await replica.start()

    answer = await room.answer_to(question)

    await Tables(url).until_idle()
    # The question came first; whether it was answered before its edit is a matter of moments.
    said = await answers_to(room, question)
    assert len(said) == 1
    assert answer["content"]["body"] == said[0]
