"""Reminders: said once, at their time, in their room, to who asked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.model import JSON, Caller, Face, RoomID
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.steps import RunStep
from lycatra_appservice.tools.assistant._reminders import MOST
from tests.support.scene import ASSISTANT, OTHER, PERSON, Scene
from tests.support.toolbench import NOW, VIEWER, bench
from tests.support.turns import query
from tests.unit.chat.revising import all_texts, hurry, redaction
from tests.unit.tools.assistant.remembering import open_remembering, said

WATER = '!remind me when="in 2 hours" text="water the *plants*"'


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_remembering(tmp_path) as opened:
        yield opened


async def test_who_asked_is_reminded_once(scene: Scene) -> None:
    assert "I remind you" in await said(scene, WATER)
    before = len(scene.said())
    await hurry(scene)
    [reminder] = scene.said()[before:]

    assert reminder.body == "⏰ water the *plants*"
    assert reminder.by == ASSISTANT
    assert reminder.content["msgtype"] == "m.text"
    assert reminder.content["m.mentions"] == {"user_ids": [PERSON]}
    await hurry(scene)
    assert len(scene.said()) == before + 1


@pytest.mark.parametrize(
    "words",
    [
        "!remind me in 20 minutes to check the oven",
        "!remind me to check the oven in 20 minutes",
        '!remind me "in 20 minutes" check the oven',
        "!reminder in 20 min check the oven",
    ],
)
async def test_it_is_understood_as_people_write_it(scene: Scene, words: str) -> None:
    assert await said(scene, words) == (
        "⏰ I remind you Sun 2026-11-22 12:20 (UTC): check the oven\n\ncancel=1 takes it back"
    )


async def test_a_number_in_a_wish_takes_nothing_back(scene: Scene) -> None:
    await said(scene, WATER)
    await said(scene, "!remind me in 1 minute to check the oven")

    assert "water the *plants*" in await said(scene, "!remind me")


async def test_what_is_taken_back_is_not_said(scene: Scene) -> None:
    await said(scene, WATER)
    assert "water the *plants*" in await said(scene, "!remind me")
    assert "who alone can take it back" in await said(scene, "!remind me cancel=1", OTHER)
    assert "I shall not" in await said(scene, "!remind me cancel=1")
    before = len(scene.said())
    await hurry(scene)

    assert scene.said()[before:] == []
    assert await said(scene, "!remind me") == "No reminder is waiting here."
    assert "No reminder 1" in await said(scene, "!remind me cancel=1")


async def test_what_is_being_said_cannot_be_taken_back(scene: Scene) -> None:
    await said(scene, WATER)
    await query(scene.database, "UPDATE timer SET open = 0")

    assert "any more" in await said(scene, "!remind me cancel=1")


async def test_deleting_the_wish_takes_it_back_and_leaves_no_word_of_it(scene: Scene) -> None:
    asked = scene.message('!remind me when="in 2 hours" text="buy the surprise"')
    await scene.hear(asked)
    await scene.hear(redaction(scene, asked["event_id"]))

    assert await said(scene, "!remind me") == "No reminder is waiting here."
    assert "surprise" not in await all_texts(scene.database)


async def test_the_same_again_is_one_reminder(scene: Scene) -> None:
    words = '!remind me when="2026-12-24 18:00" text="presents"'
    await said(scene, words)
    await said(scene, words)
    await said(scene, words, OTHER)

    assert (await said(scene, "!remind me")).count("presents") == 2


async def test_a_replica_says_what_another_one_was_told_and_both_say_it_once(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'one.db'}"
    async with open_remembering(tmp_path, database_url=url) as one:
        await said(one, WATER)
        async with open_remembering(tmp_path, database_url=url, beside=one, owner="two") as other:
            await one.push(one.message("!remind me"))
            await other.work()
            assert "water the *plants*" in one.said()[-1].body
            before = len(one.said())
            await asyncio.gather(hurry(other), hurry(one))

            assert [each.body for each in one.said()[before:]] == ["⏰ water the *plants*"]


class OnceDone:
    """The journal of a question that is asked again after a crash."""

    def __init__(self) -> None:
        self.kept: dict[str, JSON] = {}

    async def step(self, name: str, run: RunStep) -> JSON:
        if name not in self.kept:
            self.kept[name] = await run()
        return self.kept[name]


async def test_a_call_that_is_made_again_after_a_crash_sets_the_same_reminder() -> None:
    now, journal = NOW, OnceDone()
    caller = Caller(
        user_id=VIEWER, face=Face.COMMAND, room_id=RoomID("!r"), on_behalf_of_turn="$question"
    )
    async with bench(registry=discover(), now=lambda: now) as on:
        box = on.gate.open_for(caller, Standing(room_id=RoomID("!r")))
        words = {"when": "in 20 minutes", "text": "oven"}
        first = await box.call("remind_me", words, steps=journal)
        now += timedelta(minutes=5)
        again = await box.call("remind_me", words, steps=journal)
        waiting = (await box.call("remind_me", {})).data

    assert again.data == first.data
    assert waiting["total"] == 1
    assert datetime.fromisoformat(again.data["reminder"]["at"]) == NOW + timedelta(minutes=20)


async def test_the_list_goes_on_and_an_end_of_it_says_what_to_do(scene: Scene) -> None:
    for minutes in range(1, MOST + 1):
        await said(scene, f"!remind me in {minutes} minutes tea number {minutes}")
    refused = await said(scene, "!remind me in 90 minutes tea")
    assert f"`!remind me cancel={MOST}` takes the last back" in refused
    await said(scene, "!remind me in 90 minutes tea", OTHER)

    assert "1 later ones left out; ask with offset=20" in await said(scene, "!remind me")
    assert "other:hs.test: tea" in await said(scene, "!remind me offset=20")


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("soon", "I do not know when `soon x` is. Say it like `in 20 minutes`"),
        ("2020-01-01 09:00", "is over"),
        ("2099-01-01 09:00", "more than a year"),
        ("0001-01-01T00:00+14:00", "I do not know when"),
    ],
)
async def test_a_time_that_cannot_be_says_what_can(scene: Scene, when: str, words: str) -> None:
    assert words in await said(scene, f'!remind me when="{when}" text="x"')
    assert await said(scene, "!remind me") == "No reminder is waiting here."


async def test_a_secret_is_not_said_later_either(scene: Scene) -> None:
    assert "password manager" in await said(
        scene, "!remind me in 2 hours the wifi password is hunter2"
    )
    assert await said(scene, "!remind me") == "No reminder is waiting here."


async def test_a_room_is_not_told_of_the_reminders_of_another(scene: Scene) -> None:
    elsewhere = RoomID("!elsewhere")
    scene.seat(PERSON, ASSISTANT, room_id=elsewhere)
    await said(scene, WATER)

    assert "No reminder" in await said(scene, "!remind me", room_id=elsewhere)
