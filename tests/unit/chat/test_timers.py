"""What a tool wants said later is said once, at its time, to who asked, if they still may."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.toolkit.base import Field, Tool, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.timers import LONGEST_TEXT
from lycatra_appservice.turns.timers import MOST_OF_PERSON
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    TOOLS,
    UPDATES,
    Said,
    Scene,
    open_scene,
)
from tests.support.toolbench import Lists, a_tool
from tests.support.turns import query
from tests.unit.chat.revising import all_texts, hurry, redaction

SECRET = "canary-oven-4711"


class LaterArgs(ToolArgs):
    name: str = Field(max_length=200, description="Which one.")
    text: str = Field(max_length=9000, description="What to say.")
    days: int = Field(default=1, ge=0, le=9999, description="When.")


class NameArgs(ToolArgs):
    name: str = Field(max_length=200, description="Which one.")


async def say_later(args: LaterArgs, ctx: ToolContext) -> ToolResult:
    await ctx.timer(args.name, ctx.now() + timedelta(days=args.days), args.text)
    return ToolResult(data={}, markdown="I will.")


async def take_back(args: NameArgs, ctx: ToolContext) -> ToolResult:
    was_there = await ctx.cancel_timer(args.name)
    return ToolResult(data={}, markdown=f"taken back: {was_there}")


WITH_TIMERS: Mapping[str, Sequence[Tool[Any]]] = {
    **TOOLS,
    "updates": [
        a_tool(name="say_later", run=say_later, args=LaterArgs),
        a_tool(name="take_back", run=take_back, args=NameArgs),
    ],
}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, tools=WITH_TIMERS) as opened:
        opened.seat(*EVERYBODY)
        yield opened


async def later(scene: Scene) -> Sequence[Said]:
    """What is said when everything is due."""
    before = len(scene.said())
    await hurry(scene)
    return scene.said()[before:]


async def test_it_is_said_at_its_time_by_the_namespaces_user_and_rings(scene: Scene) -> None:
    asked = scene.message('!say later oven text="The bread is done."')
    said = await scene.hear(asked)
    assert [each.body for each in said] == ["I will."]

    [reminder] = await later(scene)

    assert reminder.body == "The bread is done."
    assert reminder.by == UPDATES
    assert reminder.content["msgtype"] == "m.text"
    assert reminder.content["m.mentions"] == {"user_ids": [PERSON]}
    assert reminder.content["m.relates_to"]["m.in_reply_to"]["event_id"] == asked["event_id"]
    assert reminder.content["org.lycatra.reply"]["kind"] == "aside"


async def test_it_is_said_once(scene: Scene) -> None:
    await scene.ask("!say later oven done")
    assert len(await later(scene)) == 1

    assert await later(scene) == []


async def test_the_same_name_again_takes_its_place(scene: Scene) -> None:
    await scene.ask("!say later oven first")
    await scene.ask("!say later oven second")
    await scene.ask("!say later bath third", sender=OTHER)

    assert sorted(each.body for each in await later(scene)) == ["second", "third"]


async def test_a_name_is_free_again_when_it_was_said(scene: Scene) -> None:
    await scene.ask("!say later oven first")
    await later(scene)
    await scene.ask("!say later oven second")

    assert [each.body for each in await later(scene)] == ["second"]


async def test_one_that_was_taken_back_is_not_said(scene: Scene) -> None:
    await scene.ask(f"!say later oven {SECRET}")

    [done] = await scene.ask("!take back oven")
    [again] = await scene.ask("!take back oven")

    assert (done.body, again.body) == ("taken back: True", "taken back: False")
    assert await later(scene) == []


async def test_one_that_is_late_says_so(scene: Scene) -> None:
    await scene.ask("!say later oven done")
    await query(scene.database, "UPDATE timer SET due_at = lycatra_now() - 3 * 86400000")

    [reminder] = await later(scene)

    assert reminder.body == "done (This comes 3 days late: I was away.)"


async def test_redacting_the_question_takes_back_what_waits(scene: Scene) -> None:
    asked = scene.message(f"!say later oven {SECRET}")
    await scene.hear(asked)
    await scene.hear(redaction(scene, asked["event_id"]))

    assert await later(scene) == []
    assert SECRET not in await all_texts(scene.database)


async def test_redacting_the_question_takes_back_what_was_said(scene: Scene) -> None:
    asked = scene.message(f"!say later oven {SECRET}")
    await scene.hear(asked)
    await later(scene)
    [reminder] = [event for event in scene.stub.rooms[ROOM].events if is_reminder(event)]
    await scene.hear(redaction(scene, asked["event_id"]))
    await hurry(scene)

    gone = [
        (event["sender"], event["content"]["redacts"])
        for event in scene.stub.rooms[ROOM].events
        if event["type"] == "m.room.redaction"
    ]
    assert (UPDATES, reminder["event_id"]) in gone
    assert SECRET not in await all_texts(scene.database)


def is_reminder(event: Mapping[str, Any]) -> bool:
    return bool(event["content"].get("body") == SECRET)


async def test_who_has_left_the_room_is_not_reminded_in_it(scene: Scene) -> None:
    await scene.ask("!say later oven done", sender=OTHER)
    scene.stub.rooms[ROOM].members[OTHER] = "leave"
    await scene.hear(scene.member(OTHER, "leave", sender=OTHER))

    assert await later(scene) == []


async def test_what_waits_in_a_room_is_dropped_when_we_leave_it(scene: Scene) -> None:
    await scene.ask("!say later oven done")
    for user in scene.users.all:
        scene.stub.rooms[ROOM].members[user] = "leave"
    for user in EVERYBODY:
        if scene.users.is_ours(user):
            await scene.hear(scene.member(user, "leave"))

    states = await query(
        scene.database, "SELECT state, input FROM turn WHERE trigger_id LIKE 'timer:%'"
    )
    assert [(row["state"], row["input"]) for row in states] == [("cancelled", "{}")]


async def test_who_may_no_longer_use_the_tool_hears_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'one.db'}"
    async with open_scene(tmp_path, tools=WITH_TIMERS, database_url=url) as before:
        before.seat(*EVERYBODY)
        await before.ask("!say later oven done")
        nobody = Lists(viewer=[OTHER])
        async with open_scene(
            tmp_path, tools=WITH_TIMERS, database_url=url, lists=nobody, beside=before
        ) as scene:
            assert await later(scene) == []


async def test_a_user_who_is_not_there_is_spoken_for_or_comes_in(tmp_path: Path) -> None:
    async with open_scene(tmp_path, tools=WITH_TIMERS) as scene:
        scene.seat(PERSON, MAIN)
        await scene.ask("!say later oven done")

        [reminder] = await later(scene)

        assert reminder.by == MAIN
        assert "done" in reminder.body


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("!say later oven done days=367", "more than a year"),
        (f"!say later oven {'x' * (LONGEST_TEXT + 1)}", "Make it shorter"),
    ],
)
async def test_what_cannot_be_kept_is_refused(scene: Scene, words: str, answer: str) -> None:
    [said] = await scene.ask(words)

    assert answer in said.body
    assert await later(scene) == []


async def test_a_person_can_have_so_many(scene: Scene) -> None:
    for n in range(MOST_OF_PERSON):
        await scene.ask(f"!say later n{n} done")

    [said] = await scene.ask("!say later one-more done")
    [other] = await scene.ask("!say later one-more done", sender=OTHER)
    [again] = await scene.ask("!say later n0 again")

    assert "Take one back first" in said.body
    assert (other.body, again.body) == ("I will.", "I will.")


async def test_no_secret_of_the_configuration_is_said_later(tmp_path: Path) -> None:
    async def remind(args: NameArgs, ctx: ToolContext) -> ToolResult:
        await ctx.timer(args.name, ctx.now(), f"The key is {SECRET}.")
        return ToolResult(data={}, markdown="I will.")

    tools = {**TOOLS, "updates": [a_tool(name="say_later", run=remind, args=NameArgs)]}
    async with open_scene(
        tmp_path, tools=tools, conceal=lambda text: text.replace(SECRET, "***")
    ) as scene:
        scene.seat(*EVERYBODY)
        await scene.ask("!say later oven")
        await hurry(scene)

        assert scene.said()[-1].body == "The key is ***."
        assert SECRET not in await all_texts(scene.database)
