"""What a room lets the assistant remember: told to that room, found again, and forgotten."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.model import Caller, Face, RoomID
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.assistant._facts import LONGEST, MOST
from tests.support.toolbench import OPERATOR, VIEWER, Bench, bench

ROOM, OTHER = "!here:example.org", "!there:example.org"


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Bench]:
    registry = discover()
    settings = {each.name: each.settings() for each in registry.namespaces}
    async with bench(registry=registry, settings=settings, folder=tmp_path) as opened:
        yield opened


async def test_it_is_found_by_its_words_with_who_told_it(on: Bench) -> None:
    await on.toolbox(room=ROOM).call("remember", {"text": "The router is in the cellar."})
    box = on.toolbox(OPERATOR, room=ROOM)
    await box.call("remember", {"text": "Bins go out on Thursday."})
    found = await box.call("recall", {"about": "where ROUTER"})

    assert found.data["facts"] == [
        {
            "number": 1,
            "text": "The router is in the cellar.",
            "told_by": VIEWER,
            "told_on": "2026-11-22",
        }
    ]
    both = await box.call("recall", {})
    assert [each["number"] for each in both.data["facts"]] == [2, 1]


async def test_another_room_knows_nothing_of_it(on: Bench) -> None:
    await on.toolbox(room=ROOM).call("remember", {"text": "The router is in the cellar."})
    found = await on.toolbox(room=OTHER).call("recall", {})

    assert found.data == {"facts": [], "total": 0}
    assert "!remember" in found.markdown


async def test_the_same_again_is_known_already(on: Bench) -> None:
    box = on.toolbox(room=ROOM)
    await box.call("remember", {"text": "Bins go out on Thursday."})
    again = await box.call("remember", {"text": "bins go out  on thursday."})

    assert again.data["is_new"] is False
    assert (await box.call("recall", {})).data["total"] == 1


async def test_what_is_forgotten_is_gone_and_its_number_is_never_another_one(on: Bench) -> None:
    box = on.toolbox(room=ROOM)
    await box.call("remember", {"text": "One thing."})
    gone = await box.call("recall", {"forget": 1})
    assert gone.data["forgotten"]["text"] == "One thing."
    assert (await box.call("remember", {"text": "Another."})).data["fact"]["number"] == 2
    with pytest.raises(ToolFailedError, match="no fact 1"):
        await box.call("recall", {"forget": 1})


async def test_a_secret_is_refused_and_not_kept(on: Bench) -> None:
    box = on.toolbox(room=ROOM)
    with pytest.raises(ToolFailedError, match="password manager"):
        await box.call("remember", {"text": "The wifi password: hunter2-is-it"})
    assert (await box.call("recall", {})).data["total"] == 0


async def test_what_a_model_was_told_says_that_these_are_its_words(on: Bench) -> None:
    by_model = Caller(user_id=VIEWER, face=Face.AGENT, room_id=RoomID(ROOM))
    box = on.gate.open_for(by_model, Standing(room_id=RoomID(ROOM)))
    await box.call("remember", {"text": "Restarts are always approved."})
    found = await on.toolbox(room=ROOM).call("recall", {})

    assert found.data["facts"][0]["in_words_of"] == "a model"
    assert f"({VIEWER}, in my words, 2026-11-22)" in found.markdown


async def test_words_of_people_stay_words(on: Bench) -> None:
    box = on.toolbox(room=ROOM)
    said = await box.call("remember", {"text": "# Big\n[here](http://evil.test) is **it**"})

    assert "\\# Big \\[here\\]\\(http://evil.test\\) is \\*\\*it\\*\\*" in said.markdown


async def test_there_is_an_end_of_it_that_says_what_to_do_and_pages_show_all(on: Bench) -> None:
    box = on.toolbox(room=ROOM)
    for number in range(MOST):
        await box.call("remember", {"text": f"{number} {'ü' * (LONGEST - 4)}"})
    with pytest.raises(ToolFailedError, match="!recall forget=1`"):
        await box.call("remember", {"text": "One too many."})

    seen: list[int] = []
    while len(seen) < MOST:
        page = await box.call("recall", {"offset": len(seen)})
        assert page.data["facts"], seen
        seen += [each["number"] for each in page.data["facts"]]
    assert seen == list(range(MOST, 0, -1))


async def test_it_is_remembered_while_the_room_is_full_of_reminders(on: Bench) -> None:
    box = on.toolbox(room=ROOM)
    for minutes in range(1, 21):
        await box.call("remind_me", {"when": f"in {minutes} minutes", "text": "Tea"})
    with pytest.raises(ToolFailedError, match="!remind me"):
        await box.call("remind_me", {"when": "in 30 minutes", "text": "Tea"})
    assert (await box.call("remember", {"text": "One thing."})).data["fact"]["number"] == 1
