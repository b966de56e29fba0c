"""The audit tells the story of a change: asked, decided by whom, begun, ended."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lycatra_appservice.turns.deciding import Deciding
from tests.support.approving import (
    LISTS,
    OPERATOR,
    RESTART,
    SECOND,
    Services,
    ask_restart,
    failing,
    let_time_pass,
    seat_people,
)
from tests.support.scene import PERSON, Scene, open_scene
from tests.support.turns import query
from tests.unit.chat.approving import ruled, vote
from tests.unit.chat.revising import hurry, take_back

CALL = "`restart_service service=web`"


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def scene(tmp_path: Path, services: Services) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, lists=LISTS, tools=services.tools()) as opened:
        seat_people(opened)
        yield opened


async def story(scene: Scene) -> list[str]:
    """What `!audit last` tells who asked, without the times of the day."""
    [said] = await scene.ask("!audit last", sender=PERSON)
    lines = [line for line in said.body.splitlines() if CALL in line]
    return [line.partition(f"{CALL}: ")[2] for line in lines]


async def test_an_approved_change_is_told_from_the_request_to_its_end(scene: Scene) -> None:
    await ask_restart(scene)
    await vote(scene, by=OPERATOR)

    asked, approved, started, done = await story(scene)

    assert asked == "asked for an approval"
    assert approved == f"approved by `{OPERATOR}`"
    assert started == "started"
    assert done.startswith("done in ")


async def test_all_entries_about_one_change_are_told_apart_from_others_by_one_call(
    scene: Scene,
) -> None:
    await ask_restart(scene)
    await vote(scene, by=OPERATOR)
    await scene.trail.flush()

    rows = await query(scene.database, "SELECT * FROM audit ORDER BY id")

    assert [(row["decision"], row["outcome"]) for row in rows] == [
        ("needs_approval", ""),
        ("approved", ""),
        ("allowed", "started"),
        ("allowed", "ok"),
    ]
    assert len({row["call"] for row in rows}) == 1
    assert len({row["approval"] for row in rows}) == 1
    assert None not in {row["approval"] for row in rows}


async def test_a_change_that_was_not_even_put_to_people_is_told_as_refused(
    tmp_path: Path, services: Services
) -> None:
    async with ruled(tmp_path, services, quorum=5) as scene:
        await scene.ask(RESTART)

        assert await story(scene) == ["refused: without the right"]


async def test_all_who_approved_are_named(tmp_path: Path, services: Services) -> None:
    async with ruled(tmp_path, services, quorum=2) as scene:
        await ask_restart(scene)
        await vote(scene, by=OPERATOR)
        await vote(scene, by=SECOND)

        told = await story(scene)

    assert told[1] == f"approved by `{OPERATOR}`, `{SECOND}`"


async def test_a_denied_change_is_told_and_never_began(scene: Scene) -> None:
    await ask_restart(scene)
    await vote(scene, "❌", by=SECOND)

    assert await story(scene) == ["asked for an approval", f"denied by `{SECOND}`"]


async def test_a_change_that_nobody_decided_about_is_told(scene: Scene) -> None:
    await ask_restart(scene)
    await let_time_pass(scene)
    await Deciding(scene.database).expire()
    await scene.work()

    assert await story(scene) == ["asked for an approval", "nobody approved it in time"]


async def test_a_change_that_failed_is_told(scene: Scene, services: Services) -> None:
    services.breaks.append(failing("The disk is full."))
    await ask_restart(scene)
    await vote(scene)

    assert (await story(scene))[-1] == "failed"


async def test_of_a_request_taken_back_the_stubs_stay_without_its_words(scene: Scene) -> None:
    asked = scene.message(RESTART)
    await scene.hear(asked)
    await scene.hear(take_back(scene, asked))
    await hurry(scene)
    await scene.trail.flush()

    rows = await query(scene.database, "SELECT * FROM audit ORDER BY at, id")

    assert [row["decision"] for row in rows] == ["needs_approval", "withdrawn"]
    assert {row["arguments"] for row in rows} == {None}
