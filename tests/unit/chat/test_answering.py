"""`!answer`: the person who was asked answers, in the room where it was asked, and nobody else."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON, RoomID, UserID
from lycatra_appservice.turns.questions import QuestionTable, StoredQuestion
from tests.support.scene import EVERYBODY, OTHER, PERSON, ROOM, Scene, open_scene
from tests.support.turns import query

SIZE: dict[str, JSON] = {
    "type": "object",
    "properties": {"size": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["size"],
}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as opened:
        opened.seat(*EVERYBODY)
        yield opened


async def ask_for_size(scene: Scene, code: str = "AAAAAA", person: UserID = PERSON) -> None:
    question = StoredQuestion(
        code=code,
        namespace="updates",
        tool="order",
        room_id=RoomID(ROOM),
        person=person,
        asked_by=None,
        message="Which size?",
        form=SIZE,
    )
    await QuestionTable(scene.database).put(question, timedelta(minutes=3))


async def answers(scene: Scene) -> dict[str, JSON]:
    rows = await query(scene.database, "SELECT code, answer FROM question ORDER BY code")
    return {row["code"]: row["answer"] for row in rows}


async def said_to(scene: Scene, words: str, sender: UserID = PERSON) -> str:
    [said] = await scene.ask(words, sender=sender)
    return said.body


async def test_what_fits_is_passed_on(scene: Scene) -> None:
    await ask_for_size(scene)

    said = await said_to(scene, "!answer 3")

    assert said == "Thank you, `updates` has your answer."
    assert '"size": 3' in (await answers(scene))["AAAAAA"]


async def test_what_does_not_fit_is_told_and_may_be_said_again(scene: Scene) -> None:
    await ask_for_size(scene)

    wrong = await said_to(scene, "!answer 12")
    right = await said_to(scene, "!answer size=4")

    assert wrong == "That does not fit `size`. Write it as in `!answer 1`."
    assert right.startswith("Thank you")


async def test_nobody_else_answers(scene: Scene) -> None:
    await ask_for_size(scene)

    said = await said_to(scene, "!answer 3", OTHER)

    assert f"Only {PERSON}" in said.replace("\u200d", "")
    assert (await answers(scene))["AAAAAA"] is None


async def test_a_no_is_passed_on_as_one(scene: Scene) -> None:
    await ask_for_size(scene)

    said = await said_to(scene, "!answer no")

    assert "would rather not" in said
    assert "decline" in (await answers(scene))["AAAAAA"]


async def test_of_several_the_code_says_which(scene: Scene) -> None:
    await ask_for_size(scene, "AAAAAA")
    await ask_for_size(scene, "BBBBBB")

    unclear = await said_to(scene, "!answer 3")
    clear = await said_to(scene, "!answer bbbbbb 3")

    assert "`!answer AAAAAA …`" in unclear
    assert clear.startswith("Thank you")
    assert (await answers(scene))["AAAAAA"] is None


async def test_the_question_of_another_is_in_nobodys_way(scene: Scene) -> None:
    await ask_for_size(scene, "AAAAAA", OTHER)
    await ask_for_size(scene, "BBBBBB", PERSON)

    assert (await said_to(scene, "!answer 3")).startswith("Thank you")


async def test_where_nothing_is_asked_it_says_so(scene: Scene) -> None:
    assert (await said_to(scene, "!answer 3")).startswith("Nothing waits")
