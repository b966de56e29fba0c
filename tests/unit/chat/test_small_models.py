"""A model with a small window and far too many tools, from the question to the answer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lycatra_appservice.settings import Model
from tests.support.approving import LISTS, OPERATOR, Services, card_id, seat_people
from tests.support.model_server import ModelServer, calls, model_server, says
from tests.support.scene import Scene, open_scene
from tests.support.sixty_tools import sixty_tools
from tests.unit.chat.revising import reaction

CHOOSER = "choose_namespaces"


@pytest.fixture
async def home() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def scene(tmp_path: Path, home: ModelServer, services: Services) -> AsyncIterator[Scene]:
    model = Model.model_validate(
        {"base_url": home.base_url, "model": "small", "context_window": 4096}
    )
    tools = services.tools()
    many = {**tools, "assistant": [*tools["assistant"], *sixty_tools()]}
    async with open_scene(tmp_path, models={"model": model}, tools=many, lists=LISTS) as opened:
        seat_people(opened)
        yield opened


def offered(home: ModelServer) -> list[list[str]]:
    return [[tool["function"]["name"] for tool in each.body["tools"]] for each in home.asked]


async def test_a_question_is_answered_from_the_tools_that_were_chosen(
    scene: Scene, home: ModelServer
) -> None:
    home.will(
        calls((CHOOSER, '{"names": ["updates"]}')),
        calls(("list_updates", '{"limit": 2}')),
        says("There are 2 updates."),
    )
    [said] = await scene.ask("lycatra, what is new?")
    assert "There are 2 updates." in said.body
    assert offered(home) == [[CHOOSER], *[[CHOOSER, "list_updates"]] * 2]


async def test_a_virtual_user_of_too_many_tools_chooses_among_its_own(
    scene: Scene, home: ModelServer
) -> None:
    home.will(
        calls(("choose_tools", '{"names": ["help"]}')), calls(("help", "{}")), says("Ask me.")
    )
    [said] = await scene.ask("lycatra_assistant, what do you do all day?")
    assert "Ask me." in said.body
    assert offered(home)[0] == ["choose_tools"]
    assert "list_updates" not in str(home.asked[0].body)
    assert offered(home)[1] == [CHOOSER, "help"]


async def test_the_next_question_chooses_anew_and_remembers_no_choosing(
    scene: Scene, home: ModelServer
) -> None:
    home.will(
        calls((CHOOSER, '{"names": ["updates"]}')),
        says("Nothing."),
        calls((CHOOSER, '{"names": ["services"]}')),
        says("All is well."),
    )
    await scene.ask("lycatra, what is new?")
    [said] = await scene.ask("lycatra, and are they up?")
    assert "All is well." in said.body
    assert "get_status" in offered(home)[3]
    assert CHOOSER not in str(home.asked[3].messages[1:])


async def test_a_turn_that_waited_for_people_does_not_choose_again(
    scene: Scene, home: ModelServer, services: Services
) -> None:
    restart = calls(("restart_service", '{"service": "web"}'))
    home.will(calls((CHOOSER, '{"names": ["services"]}')), restart)
    await scene.ask("lycatra: please restart web")
    assert services.restarted == []

    home.will(says("It is back."))
    await scene.hear(reaction(scene, card_id(scene), "✅", sender=OPERATOR))

    assert services.restarted == ["web"]
    assert any("It is back." in said.body for said in scene.said())
    assert len(home.asked) == 3
    assert offered(home)[2] == offered(home)[1]
