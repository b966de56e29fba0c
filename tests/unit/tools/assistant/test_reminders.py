"""Reminders: said once, at their time, in their room, to who asked."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.toolkit.base import Tool
from lycatra_appservice.tools.assistant.remind_me import TOOL as REMIND_ME
from tests.support.scene import EVERYBODY, OTHER, PERSON, TOOLS, Scene, open_scene
from tests.unit.chat.revising import hurry

WATER = '!remind me when="in 2 hours" text="water the *plants*"'


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    tools: Mapping[str, Sequence[Tool[Any]]] = {**TOOLS, "updates": [REMIND_ME]}
    async with open_scene(tmp_path, tools=tools) as opened:
        opened.seat(*EVERYBODY)
        yield opened


async def said(scene: Scene, words: str, sender: str = PERSON) -> str:
    [answer] = await scene.ask(words, sender=sender)
    return answer.body


async def test_who_asked_is_reminded_once(scene: Scene) -> None:
    assert "I remind you" in await said(scene, WATER)
    before = len(scene.said())
    await hurry(scene)
    [reminder] = scene.said()[before:]

    assert reminder.body == "⏰ water the *plants*"
    assert reminder.content["m.mentions"] == {"user_ids": [PERSON]}
    await hurry(scene)
    assert len(scene.said()) == before + 1


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


async def test_the_same_again_is_one_reminder(scene: Scene) -> None:
    words = '!remind me when="2026-12-24 18:00" text="presents"'
    await said(scene, words)
    await said(scene, words)
    await said(scene, words, OTHER)

    assert (await said(scene, "!remind me")).count("presents") == 2


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("soon", "I do not know when"),
        ("2020-01-01 09:00", "is over"),
        ("2099-01-01 09:00", "more than a year"),
    ],
)
async def test_a_time_that_cannot_be_says_what_can(scene: Scene, when: str, words: str) -> None:
    assert words in await said(scene, f'!remind me when="{when}" text="x"')
    assert await said(scene, "!remind me") == "No reminder is waiting here."
