"""While an approved change is being made: nobody breaks it off, and nobody is left guessing."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from lycatra_appservice.errors import ToolTimeoutError
from lycatra_appservice.model import JSON, LaneKind
from lycatra_appservice.turns.deciding import Deciding
from tests.support.approving import (
    LISTS,
    OPERATOR,
    RESTART,
    Services,
    approval_rows,
    ask_restart,
    card_id,
    card_now,
    seat_people,
)
from tests.support.scene import OTHER, PERSON, ROOM, SERVICES, Scene, open_scene
from tests.support.turns import turn_states
from tests.unit.chat.approving import results, vote
from tests.unit.chat.revising import (
    edit,
    hurry,
    on_the_homeserver,
    reaction,
    take_back,
    work_off,
)

GOES_ON = "That was approved and has begun"


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def scene(tmp_path: Path, services: Services) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, lists=LISTS, tools=services.tools()) as opened:
        seat_people(opened)
        yield opened


def meanwhile(scene: Scene, services: Services, *events: JSON) -> None:
    """Have these come while the change is being made."""

    async def come() -> None:
        await scene.push(*events)
        await work_off(scene, LaneKind.CONTROL)

    services.meanwhile.append(come)


async def test_stop_does_not_break_off_what_has_begun_and_says_so(
    scene: Scene, services: Services
) -> None:
    card = await ask_restart(scene)
    meanwhile(scene, services, scene.message("!stop"))

    await vote(scene)

    assert services.restarted == ["web"]
    stopped, result = results(scene)
    assert stopped.startswith(GOES_ON)
    assert result == "web is back"
    assert "and done" in card_now(scene, card)


async def test_stop_ends_the_rest_and_tells_the_two_apart(
    scene: Scene, services: Services
) -> None:
    await ask_restart(scene)
    waiting = scene.message("lycatra: think")
    meanwhile(scene, services, waiting, scene.message("!stop"))

    await vote(scene)

    stopped, result = results(scene)
    assert stopped.startswith("I have stopped. Nothing more will come of it. But an approved")
    assert result == "web is back"
    assert (await turn_states(scene.database))[waiting["event_id"]] == "cancelled"


async def test_who_has_nothing_there_reads_that_there_is_nothing_to_stop(
    scene: Scene, services: Services
) -> None:
    await ask_restart(scene)
    meanwhile(scene, services, scene.message("!stop", sender=OTHER))

    await vote(scene)

    assert results(scene)[0].startswith("Nothing that you asked for")


@pytest.mark.parametrize("on", ["card", "request"])
async def test_a_stop_sign_is_told_once_that_it_has_begun(
    scene: Scene, services: Services, on: str
) -> None:
    asked = scene.message(RESTART)
    await scene.hear(asked)
    target = card_id(scene) if on == "card" else asked["event_id"]
    signs = [reaction(scene, target, key, sender=PERSON) for key in ("🛑", "⏹️")]
    meanwhile(scene, services, *signs, reaction(scene, target, "🛑", sender=OTHER))

    said = await vote(scene)

    [line] = [each for each in scene.said() if each.body.startswith(GOES_ON)]
    assert line.by == SERVICES
    assert line.content["msgtype"] == "m.notice"
    assert line.content["m.relates_to"]["m.in_reply_to"]["event_id"] == card_id(scene)
    assert "web is back" in said


async def test_a_redaction_in_the_middle_is_told_that_it_goes_on_and_then_followed(
    scene: Scene, services: Services
) -> None:
    asked = scene.message(RESTART)
    await scene.hear(asked)
    meanwhile(scene, services, take_back(scene, asked))

    await vote(scene)
    await hurry(scene)

    assert services.restarted == ["web"]
    line = next(each for each in scene.said() if "removed after" in each.body)
    assert "please look at what it did" in line.body
    redacted = {
        event["content"].get("redacts")
        for event in scene.stub.rooms[ROOM].events
        if event["type"] == "m.room.redaction"
    }
    answers = [
        event["event_id"]
        for event in scene.stub.rooms[ROOM].events
        if event["content"].get("body") == "web is back"
    ]
    assert {card_id(scene), *answers} <= redacted
    [row] = await approval_rows(scene)
    assert (row["state"], row["outcome"], row["args"]) == ("used", "done", "{}")


async def test_an_edit_in_the_middle_is_told_that_it_is_too_late(
    scene: Scene, services: Services
) -> None:
    asked = scene.message(RESTART)
    on_the_homeserver(scene, asked)
    await scene.hear(asked)
    meanwhile(scene, services, edit(scene, asked, "!restart service database"))

    await vote(scene)

    assert services.restarted == ["web"]
    assert "had already begun" in "".join(results(scene))
    assert results(scene)[-1] == "web is back"


async def test_a_refusal_in_the_middle_changes_nothing(scene: Scene, services: Services) -> None:
    card = await ask_restart(scene)
    meanwhile(scene, services, reaction(scene, card, "❌", sender=OPERATOR))

    await vote(scene)

    assert results(scene) == ["web is back"]
    assert "and done" in card_now(scene, card)


async def test_a_change_that_took_too_long_is_in_doubt_on_the_card_too(
    scene: Scene, services: Services
) -> None:
    class SlowError(ToolTimeoutError):
        in_doubt = True

    services.breaks.append(SlowError("It took too long."))
    card = await ask_restart(scene)

    await vote(scene)

    assert "may or may not have happened" in card_now(scene, card)


async def test_what_was_approved_and_never_began_says_so_on_its_card(
    scene: Scene, services: Services
) -> None:
    """The room has moved on between the question and the answer."""
    card = await ask_restart(scene)
    moved = scene.event("m.room.tombstone", {"replacement_room": "!new", "body": "moved"})
    await scene.push({**moved, "state_key": ""})
    await work_off(scene, LaneKind.CONTROL)

    await vote(scene)
    assert services.restarted == []
    assert (await approval_rows(scene))[0]["state"] == "approved"

    assert await Deciding(scene.database).conclude_abandoned() == 1
    await scene.work()
    assert "Taken back. Nothing was done." in card_now(scene, card)
    assert await Deciding(scene.database).conclude_abandoned() == 0


async def test_a_word_of_long_ago_approves_nothing(scene: Scene, services: Services) -> None:
    await ask_restart(scene)

    [said] = await scene.ask("!approve", sender=OPERATOR, age=timedelta(minutes=11))

    assert services.restarted == []
    assert "Decided" not in said.body
