"""What somebody has to change is said to an admin, beneath an answer, and once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lycatra_appservice.model import UserID
from lycatra_appservice.settings import NamedModel
from tests.support.model_server import ModelServer, model_server, says
from tests.support.scene import MAIN, OTHER, SERVICES, UPDATES, Scene, open_scene
from tests.support.toolbench import Lists

ADMIN = UserID("@admin:hs.test")
LINE = "models.home.context_window: 4096"
LONG = "lycatra, what is wrong here? " + "word " * 6000
NOT_ALL_READ = says("Invented.", prompt_tokens=4090)


@pytest.fixture
async def home() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


@pytest.fixture
async def scene(tmp_path: Path, home: ModelServer) -> AsyncIterator[Scene]:
    model = NamedModel.model_validate({"base_url": home.base_url, "model": "small"})
    lists = Lists(viewer=["*:hs.test"], operator=(), admin=[ADMIN])
    async with open_scene(tmp_path, models={"home": model}, lists=lists) as opened:
        opened.seat(OTHER, ADMIN, MAIN, SERVICES, UPDATES)
        yield opened


async def said_to(scene: Scene, person: UserID, words: str = "lycatra, what is new?") -> str:
    [said] = await scene.ask(words, sender=person)
    return said.body


async def test_an_admin_is_told_of_a_smaller_window_once_with_the_line_to_change(
    scene: Scene, home: ModelServer
) -> None:
    home.will(
        NOT_ALL_READ, says("By the rules.", prompt_tokens=7000), says("A."), says("B."), says("C.")
    )
    first = await said_to(scene, OTHER, LONG)
    assert "By the rules." in first
    assert "context_window" not in first  # not everybody's business
    assert "context_window" not in await said_to(scene, OTHER)

    told = await said_to(scene, ADMIN)
    assert "B." in told
    assert LINE in told
    assert "OLLAMA_CONTEXT_LENGTH" in told
    assert "context_window" not in await said_to(scene, ADMIN)


async def test_the_word_is_no_part_of_the_conversation(scene: Scene, home: ModelServer) -> None:
    home.will(NOT_ALL_READ, says("By the rules.", prompt_tokens=7000), says("Again."))
    assert LINE in await said_to(scene, ADMIN, LONG)
    await said_to(scene, ADMIN)
    assert "context_window" not in str(home.asked[2].messages)


async def test_the_health_of_a_model_says_what_it_reads(scene: Scene, home: ModelServer) -> None:
    home.will(NOT_ALL_READ, says("By the rules.", prompt_tokens=7000))
    await said_to(scene, OTHER, LONG)
    assert "reads about 4096 tokens" in await scene.probes["model home"]()
