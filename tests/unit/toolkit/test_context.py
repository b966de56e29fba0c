"""What a running tool is given: memory, databases, and a way to say what it is doing."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON, Caller, Face, File, RoomID
from lycatra_appservice.settings import ToolDatabase
from lycatra_appservice.toolkit.base import ToolContext, ToolResult
from lycatra_appservice.toolkit.memory import MAX_KEYS, ShortMemory
from lycatra_appservice.toolkit.progress import told_to
from lycatra_appservice.words.text import Said
from tests.support.toolbench import OPERATOR, VIEWER, EchoArgs, a_tool, bench


def one_more(before: JSON) -> JSON:
    return (before or 0) + 1


async def count(args: EchoArgs, ctx: ToolContext) -> ToolResult:
    here = await ctx.state.room.change("calls", one_more)
    everywhere = await ctx.state.everywhere.change("calls", one_more)
    return ToolResult(data=[here, everywhere], markdown="")


async def test_a_namespace_remembers_by_room_and_everywhere() -> None:
    async with bench([a_tool(run=count)]) as on:
        calls = [
            await on.toolbox(VIEWER, room="!a").call("say_something", {}),
            await on.toolbox(OPERATOR, room="!a").call("say_something", {}),
            await on.toolbox(VIEWER, room="!b").call("say_something", {}),
        ]

    assert [each.data for each in calls] == [[1, 1], [2, 2], [1, 3]]


async def test_without_a_room_it_remembers_by_person() -> None:
    async with bench([a_tool(run=count)]) as on:
        calls = [
            await on.toolbox(VIEWER).call("say_something", {}),
            await on.toolbox(OPERATOR).call("say_something", {}),
            await on.toolbox(VIEWER).call("say_something", {}),
        ]

    assert [each.data for each in calls] == [[1, 1], [1, 2], [2, 3]]


async def test_a_tool_says_what_it_is_doing() -> None:
    heard: list[Said] = []

    async def slow(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        ctx.progress("reading 3 of 9 pages")
        return ToolResult(data={}, markdown="")

    async with bench([a_tool(run=slow)]) as on:
        caller = Caller(user_id=VIEWER, face=Face.AGENT, room_id=RoomID("!a"))
        toolbox = await on.gate.open(caller, progress=told_to(heard.append))
        await toolbox.call("say_something", {})
        await on.toolbox().call("say_something", {})  # nobody listens, which is no mistake

    assert heard == ["reading 3 of 9 pages"]


async def test_a_tool_reads_a_database_by_its_name_and_a_wrong_name_is_told(
    tmp_path: Path,
) -> None:
    file = tmp_path / "crm.db"
    with closing(sqlite3.connect(file)) as crm, crm:
        crm.execute("CREATE TABLE person (name text)")
        crm.execute("INSERT INTO person VALUES ('Alice')")

    async def read(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        found = await ctx.database(args.text).fetch("SELECT name FROM person")
        return ToolResult(data=[row["name"] for row in found], markdown=f"{len(found)} found")

    section = ToolDatabase(url=SecretStr(f"sqlite:///{file}"))
    async with bench([a_tool(run=read)], databases={"crm": section}) as on:
        result = await on.toolbox().call("say_something", {"text": "crm"})
        with pytest.raises(ToolFailedError, match="no database called `stock`"):
            await on.toolbox().call("say_something", {"text": "stock"})

    assert (result.data, result.markdown) == (["Alice"], "1 found")


async def test_the_memory_for_trying_tools_out_has_the_same_bounds() -> None:
    values = ShortMemory().of("pots", "!a")
    kept = {"list": [1]}
    await values.put("key", kept)
    kept["list"].append(2)
    assert await values.get("key") == {"list": [1]}
    await values.put("key", None)
    assert await values.keys() == []

    with pytest.raises(ToolFailedError, match="larger than"):
        await values.put("key", "x" * 20_000)
    with pytest.raises(ValueError, match="a key of the state"):
        await values.get("a key")
    for n in range(MAX_KEYS):
        await values.put(f"{n}", n)
    with pytest.raises(ToolFailedError, match="200 things"):
        await values.put("more", 1)


def a_picture(name: str) -> File:
    return File(name=name, content_type="image/png", data=b"png", description="A curve.")


async def test_what_a_tool_attaches_comes_after_its_own_files() -> None:
    async def draw(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        ctx.attach(a_picture("second.png"))
        return ToolResult(data={}, markdown="drawn", files=[a_picture("first.png")])

    async with bench([a_tool(run=draw)]) as on:
        result = await on.toolbox(VIEWER).call("say_something", {})

    assert [file.name for file in result.files] == ["first.png", "second.png"]


async def test_more_than_fits_is_left_out_and_told() -> None:
    async def draw(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        for n in range(7):
            ctx.attach(a_picture(f"{n}.png"))
        return ToolResult(data={}, markdown="drawn")

    async with bench([a_tool(run=draw)]) as on:
        result = await on.toolbox(VIEWER).call("say_something", {})

    assert len(result.files) == 5
    assert result.note is not None


async def test_an_attached_file_comes_with_a_cached_result_too() -> None:
    async def draw(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        ctx.attach(a_picture("once.png"))
        return ToolResult(data={}, markdown="drawn")

    async with bench([a_tool(run=draw, cache_for=timedelta(seconds=30))]) as on:
        await on.toolbox(VIEWER).call("say_something", {})
        result = await on.toolbox(VIEWER).call("say_something", {})

    assert on.calls.outcomes[-1] == "cached"
    assert [file.name for file in result.files] == ["once.png"]


async def test_a_step_gives_what_a_journal_would() -> None:
    given: list[JSON] = []

    async def run(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        async def look() -> JSON:
            return {"found": (1, 2)}

        given.append(await ctx.step("look", look))
        return ToolResult(data={}, markdown="")

    async with bench([a_tool(run=run)]) as on:
        await on.toolbox(VIEWER).call("say_something", {})

    assert given == [{"found": [1, 2]}]


async def test_a_name_stands_for_one_step() -> None:
    done: list[str] = []

    async def run(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        async def look() -> JSON:
            done.append("look")
            return None

        await ctx.step("look", look)
        await ctx.step("look", look)
        return ToolResult(data={}, markdown="")

    async with bench([a_tool(run=run)]) as on:
        with pytest.raises(ToolFailedError):
            await on.toolbox(VIEWER).call("say_something", {})

    assert done == ["look"]
    assert on.calls.outcomes == ["crashed"]
