"""Who asks too much reads one line; tokens are charged once; two bots fall silent."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.matrix.events import HOPS_MARKER, REPLY_MARKER
from lycatra_appservice.model import JSON, RoomID, UserID
from lycatra_appservice.settings import Budgets
from lycatra_appservice.toolkit.base import ToolContext, ToolResult
from tests.support.dying import cut_off, die_here
from tests.support.model_server import ModelServer, calls, delta, says, writes
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    TOOLS,
    NoArgs,
    Scene,
    open_scene,
)
from tests.support.toolbench import a_tool
from tests.support.turns import query
from tests.unit.chat.revising import hurry
from tests.unit.ops.test_metrics import samples

LATER = "\u23f3"
BOT = UserID("@echo:hs.test")
LIST = ("list_updates", '{"limit": 7}')
ROUNDS = 100


def budgets(**written: JSON) -> Budgets:
    return Budgets.model_validate(written)


def reactions(scene: Scene) -> Sequence[str]:
    return [
        event["content"]["m.relates_to"]["key"]
        for room in scene.stub.rooms.values()
        for event in room.events
        if event["type"] == "m.reaction"
    ]


def refusals(scene: Scene, kind: str) -> float:
    return samples(scene.metrics)[f"lycatra_budget_refusals_total|kind={kind}"]


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[Scene]:
    """Three turns a minute for each person, and five for a room."""
    given = budgets(person={"turns_per_minute": 3}, room={"turns_per_minute": 5})
    async with open_scene(tmp_path, budgets=given) as scene:
        scene.seat(*EVERYBODY)
        yield scene


# Turns a minute


async def test_a_flood_of_commands_gets_its_answers_then_one_line_and_then_reactions(
    hasty: Scene,
) -> None:
    said = await hasty.hear(*[hasty.message("!list updates") for _ in range(12)])

    assert ["3 updates" in each.body for each in said] == [True] * 3 + [False]
    line = said[-1]
    assert "3 questions and commands a minute" in line.body
    assert re.search(r"Try again in (1\d|20) seconds\.", line.body)
    assert (line.by, line.content["msgtype"]) == (MAIN, "m.notice")
    assert reactions(hasty) == [LATER] * 8
    assert refusals(hasty, "person_turns") == 9


async def test_the_line_is_in_the_language_of_who_asks(hasty: Scene) -> None:
    for _ in range(3):
        await hasty.ask("!list updates")

    [line] = await hasty.ask("lycatra: was gibt es Neues und was ist mit der Webseite?")

    assert "in der Minute von einer Person" in line.body


async def test_a_flood_of_one_person_is_nothing_to_another(hasty: Scene) -> None:
    await hasty.hear(*[hasty.message("!list updates") for _ in range(9)])

    [answer] = await hasty.ask("!list updates", sender=OTHER)

    assert "3 updates" in answer.body


async def test_the_people_of_a_room_together_read_one_line(hasty: Scene) -> None:
    third = UserID("@third:hs.test")
    hasty.seat(*EVERYBODY, third)
    for sender in (PERSON, OTHER):
        for _ in range(2):
            await hasty.ask("!list updates", sender=sender)
    await hasty.ask("!list updates", sender=third)

    said = await hasty.hear(
        hasty.message("!list updates", sender=third),
        hasty.message("!list updates", sender=PERSON),
    )

    [line] = said
    assert "5 questions and commands a minute in one room" in line.body
    assert reactions(hasty) == [LATER]


async def test_stopping_and_deciding_are_never_too_much(hasty: Scene) -> None:
    await hasty.hear(*[hasty.message("!list updates") for _ in range(9)])

    for words in ("!stop", "!approve", "!deny ABCD"):
        [answer] = await hasty.ask(words)
        assert "a minute" not in answer.body


async def test_what_is_not_meant_for_us_counts_for_nothing(hasty: Scene) -> None:
    await hasty.hear(*[hasty.message("good morning everybody") for _ in range(30)])

    [answer] = await hasty.ask("!list updates")

    assert "3 updates" in answer.body
    assert reactions(hasty) == []


async def test_who_may_do_nothing_at_all_floods_nobody_either(hasty: Scene) -> None:
    stranger = UserID("@stranger:elsewhere.org")
    hasty.seat(*EVERYBODY, stranger)

    said = await hasty.hear(*[hasty.message("lycatra: hello?", sender=stranger) for _ in range(9)])

    assert len(said) == 4


async def test_with_the_defaults_a_busy_minute_of_a_person_is_not_noticed(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path, budgets=Budgets()) as s:
        s.seat(*EVERYBODY)

        said = await s.hear(*[s.message("!list updates") for _ in range(15)])

        assert all("3 updates" in each.body for each in said)
        assert len(said) == 15


async def test_where_nothing_is_allowed_nobody_is_told_to_wait(tmp_path: Path) -> None:
    async with open_scene(
        tmp_path, budgets=budgets(people={PERSON: {"turns_per_minute": 0}})
    ) as s:
        s.seat(*EVERYBODY)

        [line] = await s.ask("!list updates")

        assert "Ask whoever runs me" in line.body
        assert "3 updates" in (await s.ask("!list updates", sender=OTHER))[0].body


# Tokens a day


async def charged(scene: Scene) -> list[tuple[Any, ...]]:
    rows = await query(
        scene.database,
        "SELECT step, person, room, level, model, prompt_tokens, completion_tokens, estimated"
        " FROM model_usage ORDER BY at, step",
    )
    return [tuple(row.values()) for row in rows]


async def test_each_request_of_a_turn_is_charged_to_who_asked(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    model.will(calls(LIST, prompt_tokens=300), says("Seven.", prompt_tokens=400))

    await asking.ask("lycatra: what is new?")

    whose = (PERSON, ROOM, "viewer", "model")
    assert await charged(asking) == [
        ("1:model", *whose, 300, 5, 0),
        ("2:model", *whose, 400, 5, 0),
    ]


async def test_what_the_server_does_not_count_is_estimated_and_flagged(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN)
    model.will(says("A" * 350))

    await asking.ask("what is new?")

    [(*_, prompt, completion, estimated)] = await charged(asking)
    assert estimated == 1
    assert 100 <= completion <= 110
    assert prompt > 100


async def test_an_answer_that_broke_off_is_charged_by_what_came_of_it(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN)
    model.will(writes(delta(content="Half of it"), end="cut"))

    await asking.ask("what is new?")

    [(*_, completion, estimated)] = await charged(asking)
    assert (completion > 0, estimated) == (True, 1)


async def test_a_turn_that_goes_on_after_a_crash_is_charged_once_and_asked_for_once(
    tmp_path: Path, model: ModelServer
) -> None:
    crashes = iter([True, False])

    async def look(args: NoArgs, ctx: ToolContext) -> ToolResult:
        if next(crashes):
            await die_here()
        return ToolResult(data={"n": 7}, markdown="7")

    tools = {**TOOLS, "updates": [a_tool(name="look_up", run=look, args=NoArgs)]}
    given = budgets(person={"turns_per_minute": 1})
    async with open_scene(tmp_path, model_url=model.base_url, tools=tools, budgets=given) as s:
        s.seat(PERSON, MAIN)
        model.will(calls(("look_up", "{}"), prompt_tokens=300), says("7.", prompt_tokens=400))
        with cut_off():
            await s.ask("what is new?")
        await query(s.database, "UPDATE lane SET owner = NULL, lease_until = NULL, ready_at = 0")

        await hurry(s)

        assert s.said()[-1].body == "7."
        assert [row[0] for row in await charged(s)] == ["1:model", "2:model"]


async def test_who_has_used_up_the_day_reads_when_it_goes_on_and_commands_go_on_now(
    tmp_path: Path, model: ModelServer
) -> None:
    given = budgets(person={"tokens_per_day": 1000})
    async with open_scene(
        tmp_path, model_url=model.base_url, budgets=given, zone="Europe/Berlin"
    ) as s:
        s.seat(*EVERYBODY)
        model.will(says("Hello.", prompt_tokens=1200))
        await s.ask("lycatra: hello")

        said = await s.hear(*[s.message("lycatra: what is new?") for _ in range(3)])

        [line] = said
        assert "your 1k tokens of the language model for today" in line.body
        assert "Ask again in 11 hours" in line.body
        assert reactions(s) == [LATER] * 2
        assert refusals(s, "person_tokens") == 3
        assert "3 updates" in (await s.ask("!list updates"))[0].body
        s.now += timedelta(hours=11)
        model.will(says("Nothing new."))
        assert (await s.ask("lycatra: what is new?"))[0].body == "Nothing new."


async def test_the_tokens_of_a_room_are_those_of_all_its_people(
    tmp_path: Path, model: ModelServer
) -> None:
    given = budgets(room={"tokens_per_day": "1k"})
    async with open_scene(tmp_path, model_url=model.base_url, budgets=given) as s:
        s.seat(*EVERYBODY)
        s.seat(OTHER, MAIN, room_id=RoomID("!alone"))
        model.will(says("Hello.", prompt_tokens=1200))
        await s.ask("lycatra: hello")

        [line] = await s.ask("lycatra: hello", sender=OTHER)

        assert "This room has used up its 1k tokens" in line.body
        assert refusals(s, "room_tokens") == 1


async def test_when_a_request_takes_what_is_left_the_model_has_to_answer_with_it(
    tmp_path: Path, model: ModelServer
) -> None:
    given = budgets(person={"tokens_per_day": 600})
    async with open_scene(tmp_path, model_url=model.base_url, budgets=given) as s:
        s.seat(*EVERYBODY)
        model.will(calls(LIST, prompt_tokens=500), says("Seven.", prompt_tokens=700))

        [answer] = await s.ask("lycatra: what is new?")

        assert answer.body == "Seven."
        first, last = (asked.body for asked in model.asked)
        assert first.get("tool_choice") != "none"
        assert last["tool_choice"] == "none"
        assert "Answer the person now" in last["messages"][-1]["content"]


async def test_when_the_tokens_run_out_in_the_middle_nothing_that_was_found_is_lost(
    tmp_path: Path, model: ModelServer
) -> None:
    given = budgets(person={"tokens_per_day": 600})
    async with open_scene(tmp_path, model_url=model.base_url, budgets=given) as s:
        s.seat(*EVERYBODY)
        model.will(calls(LIST, prompt_tokens=700))

        [answer] = await s.ask("lycatra: what is new?")

        assert "You have used up your 600 tokens" in answer.body
        assert "`list_updates`:" in answer.body
        assert '"updates": 7' in answer.body
        assert answer.content["msgtype"] == "m.text"
        assert len(model.asked) == 1


# Loops between bots


def echo(scene: Scene, said: Any) -> dict[str, JSON]:
    """What a bot answers to each answer, whatever it is: its words, as a reply."""
    return scene.message(
        f"You said: {said.body}",
        sender=BOT,
        m_relates_to={"m.in_reply_to": {"event_id": scene.last_event_id()}},
    )


async def loop(scene: Scene, first: str) -> int:
    """Let a bot that heeds nothing answer each answer; return how often it had to."""
    said = await scene.ask(first, sender=BOT)
    for rounds in range(ROUNDS):
        if not said:
            return rounds
        said = await scene.hear(echo(scene, said[-1]))
    return ROUNDS


async def test_a_bot_that_answers_each_answer_is_left_alone_with_one_line(
    tmp_path: Path, model: ModelServer
) -> None:
    given = budgets(
        person={"turns_per_minute": "unlimited"},
        room={"turns_per_minute": "unlimited"},
        answers_in_a_row=6,
    )
    async with open_scene(tmp_path, model_url=model.base_url, budgets=given) as s:
        s.seat(*EVERYBODY, BOT)
        model.will(*[says("How interesting.")] * 6)

        rounds = await loop(s, "lycatra: hello")

        assert rounds == 7
        line = s.said()[-1]
        assert "6 answers in a row" in line.body
        assert "access.ignored" in line.body
        assert line.content["msgtype"] == "m.notice"
        assert refusals(s, "bots") == 2
        model.will(says("Hello, person."))
        assert (await s.ask("lycatra: hello"))[0].body.startswith("Hello, person.")


async def test_without_a_model_such_a_bot_is_left_alone_too(tmp_path: Path) -> None:
    given = budgets(person={"turns_per_minute": "unlimited"}, answers_in_a_row=6)
    async with open_scene(tmp_path, budgets=given) as s:
        s.seat(*EVERYBODY, BOT)

        assert await loop(s, "lycatra: what is new?") == 7


async def test_with_the_defaults_such_a_bot_costs_no_more_than_a_minute_of_a_person(
    tmp_path: Path, model: ModelServer
) -> None:
    async with open_scene(tmp_path, model_url=model.base_url, budgets=Budgets()) as s:
        s.seat(*EVERYBODY, BOT)
        model.will(*[says("How interesting.")] * 20)

        assert await loop(s, "lycatra: hello") <= 22


async def test_two_instances_in_one_room_say_nothing_to_each_other(
    asking: Scene, model: ModelServer
) -> None:
    """The other one's answer to a person, which names us, is no question to us."""
    asking.seat(*EVERYBODY, BOT)
    model.will(says("Ask lycatra: what is new?"))
    [answer] = await asking.ask("lycatra: whom should I ask?")

    theirs = {**answer.content, "body": "lycatra: what is new?"}
    assert {REPLY_MARKER, HOPS_MARKER} <= theirs.keys()
    said = await asking.hear(asking.event("m.room.message", theirs, sender=BOT))

    assert said == []
    assert reactions(asking) == []
