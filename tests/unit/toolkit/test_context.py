"""What a running tool is given: memory, databases, and a way to say what it is doing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON, Caller, Face, RoomID
from lycatra_appservice.settings import ToolDatabase
from lycatra_appservice.toolkit.base import ToolContext, ToolResult
from lycatra_appservice.toolkit.memory import MAX_KEYS, ShortMemory
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
        toolbox = await on.gate.open(caller, on_progress=heard.append)
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
        return ToolResult(data=list(found.rows), markdown="")

    section = ToolDatabase(url=SecretStr(f"sqlite:///{file}"))
    async with bench([a_tool(run=read)], databases={"crm": section}) as on:
        result = await on.toolbox().call("say_something", {"text": "crm"})
        with pytest.raises(ToolFailedError, match="no database called `stock`"):
            await on.toolbox().call("say_something", {"text": "stock"})

    assert result.data == [{"name": "Alice"}]


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
