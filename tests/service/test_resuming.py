"""A change that keeps its steps, on a real Synapse: kill -9 in the middle, and it goes on."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON, EventID
from tests.support.own_tools import namespace, write
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

_DEPLOY = """
import asyncio
import pathlib

from lycatra_appservice.toolkit.base import Effect, StepCutOffError, Tool, ToolArgs, ToolResult

FOLDER = pathlib.Path({folder!r})


class Args(ToolArgs):
    pass


def note(word):
    with (FOLDER / "done").open("a") as log:
        print(word, file=log)


async def first():
    note("first")
    return "1.0"


async def second():
    note("second")
    while not (FOLDER / "may-end").exists():
        await asyncio.sleep(0.02)
    return "2.0"


async def run(args, ctx):
    ctx.progress("rolling out")
    before = await ctx.step("first", first)
    try:
        await ctx.step("second", second)
    except StepCutOffError:
        note("looked")
    return ToolResult(data={{}}, markdown=f"rolled out, was {{before}}")


TOOL = Tool(
    name="roll_out",
    title="Roll out",
    summary="Rolls something out in two steps, to see that a crash between them does no harm.",
    args=Args,
    run=run,
    example="roll out",
    effect=Effect.CHANGE,
    resumes=True,
)
"""


def done(folder: Path) -> Sequence[str]:
    """What the tool did, in order."""
    log = folder / "done"
    return log.read_text().split() if log.exists() else []


def marked(events: Sequence[JSON], kind: str, request: EventID) -> list[str]:
    """What stands in our messages of this kind about a request, edits included."""
    return [
        event["content"].get("m.new_content", event["content"])["body"]
        for event in events
        if (mark := event["content"].get("org.lycatra.reply"))
        and (mark["kind"], mark["to"]) == (kind, request)
    ]


async def shows(room: Room, kind: str, request: EventID, words: str) -> None:
    """Wait until the newest message of this kind says this."""

    async def says() -> bool:
        found = marked(await room.events(), kind, request)
        return bool(found) and words in found[-1]

    await until(says, f"a {kind} that says {words!r}")


@pytest.mark.slow
async def test_it_goes_on_after_kill_9_and_no_progress_is_left_behind(
    stage: Stage, tmp_path: Path
) -> None:
    tools = tmp_path / "own"
    write(
        tools,
        {
            "things/__init__.py": namespace("things"),
            "things/roll_out.py": _DEPLOY.format(folder=str(tmp_path)),
        },
    )
    person = await stage.person()
    url = sqlite_in(tmp_path)
    replica = await stage.replica(
        url,
        more={
            "access": {"operator": [person.user_id]},
            "own_tools": {"paths": [str(tools)]},
        },
    )
    await replica.start()
    room = await stage.room(person)
    request = await room.ask("!roll out")
    await shows(room, "card", request, "Roll out")
    [card] = [
        event
        for event in await room.events()
        if event["content"].get("org.lycatra.reply", {}).get("kind") == "card"
    ]
    await person.react(room.room_id, EventID(card["event_id"]), "✅")
    await shows(room, "progress", request, "rolling out")
    assert done(tmp_path) == ["first", "second"]

    replica.kill()
    (tmp_path / "may-end").touch()
    await replica.start()

    await shows(room, "message", request, "rolled out, was 1.0")
    await shows(room, "progress", request, "Finished")
    assert done(tmp_path) == ["first", "second", "looked"]
    await Tables(url).until_idle()
    events = await room.events()
    assert len(marked(events, "message", request)) == 1
    notices = [event for event in events if "rolling out" in json.dumps(event["content"])]
    assert len([each for each in notices if "m.new_content" not in each["content"]]) == 1
