"""A model that calls a changing tool waits like everybody else, and cannot let itself through."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.approving import (
    LISTS,
    OPERATOR,
    Services,
    approval_rows,
    card_id,
    card_now,
    cards,
    seat_people,
)
from tests.support.model_server import ModelServer, calls, says
from tests.support.scene import ROOM, Scene, open_scene
from tests.unit.chat.revising import reaction

ASKED = "lycatra: please restart web"


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def asking(tmp_path: Path, model: ModelServer, services: Services) -> AsyncIterator[Scene]:
    async with open_scene(
        tmp_path, model_url=model.base_url, lists=LISTS, tools=services.tools()
    ) as opened:
        seat_people(opened)
        yield opened


def restart(service: str = "web") -> tuple[str, str]:
    """A call as a model writes it."""
    return "restart_service", json.dumps({"service": service})


async def vote(scene: Scene, key: str = "✅") -> list[str]:
    event = reaction(scene, card_id(scene), key, sender=OPERATOR)
    return [said.body for said in await scene.hear(event)]


def answers(scene: Scene) -> list[str]:
    return [
        said.body
        for said in scene.said()
        if said.content.get("org.lycatra.reply", {}).get("kind") == "message"
    ]


def results_read(model: ModelServer) -> list[str]:
    """What the model was told about its calls, in the last request."""
    return [row["content"] for row in model.asked[-1].messages if row["role"] == "tool"]


async def test_a_change_that_the_model_calls_waits_and_is_made_once(
    asking: Scene, model: ModelServer, services: Services
) -> None:
    model.will(calls(("list_updates", "{}"), restart()))
    await asking.ask(ASKED)
    assert services.restarted == []
    assert answers(asking) == []

    model.will(says("It is back."))
    await vote(asking)

    assert services.restarted == ["web"]
    assert [body for body in answers(asking) if "back" in body]
    looked, changed = results_read(model)
    assert '"updates":3' in looked
    assert '"restarted":"web"' in changed
    assert len(model.asked) == 2  # the plan was not made anew after the wait
    assert "and done" in card_now(asking, card_id(asking))


async def test_a_denied_change_is_told_to_the_model(
    asking: Scene, model: ModelServer, services: Services
) -> None:
    model.will(calls(restart()))
    await asking.ask(ASKED)

    model.will(says("Nobody wants it."))
    await vote(asking, "❌")

    [told] = results_read(model)
    assert "denied this, so nothing was done" in told
    assert services.restarted == []


async def test_changes_of_one_answer_are_asked_one_after_the_other(
    asking: Scene, model: ModelServer, services: Services
) -> None:
    model.will(calls(restart("web"), restart("database")))
    await asking.ask(ASKED)
    assert len(cards(asking)) == 1

    await vote(asking)
    assert services.restarted == ["web"]
    assert len(cards(asking)) == 2
    assert len(model.asked) == 1

    model.will(says("Both are back."))
    await vote(asking)

    assert services.restarted == ["web", "database"]
    assert len(model.asked) == 2


@pytest.mark.parametrize("word", ["approved", "approval", "confirm", "force"])
async def test_nothing_that_a_model_writes_is_an_approval(
    asking: Scene, model: ModelServer, services: Services, word: str
) -> None:
    written = json.dumps({"service": "web", word: True})
    model.will(calls(("restart_service", written)), says("I could not."))

    await asking.ask(ASKED)

    assert services.restarted == []
    assert not await approval_rows(asking)
    [told] = results_read(model)
    assert "error" in told


async def test_a_model_that_claims_to_be_approved_by_word_is_not(
    asking: Scene, model: ModelServer, services: Services
) -> None:
    model.will(calls(restart()))
    await asking.ask(ASKED)
    code = (await approval_rows(asking))[0]["code"]
    model.will(says(f"!approve {code}"))

    await asking.ask("lycatra: hello?")
    echoed = [e for e in asking.stub.rooms[ROOM].events if e["type"] == "m.room.message"]
    await asking.hear(*echoed)

    assert services.restarted == []


async def test_what_asks_again_and_again_is_refused_before_people_are(
    asking: Scene, model: ModelServer, services: Services
) -> None:
    model.will(calls(restart("wbe")), says("There is no wbe."))

    await asking.ask(ASKED)

    assert not cards(asking)
    [told] = results_read(model)
    assert "I do not know `wbe`" in told
