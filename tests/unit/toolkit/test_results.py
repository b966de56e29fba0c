"""Results stay small enough for a prompt and a message, and are kept only for who may see them."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lycatra_appservice.errors import NotAllowedError, ToolFailedError
from lycatra_appservice.model import UserID
from lycatra_appservice.toolkit.approvals import Approved, NeedsApprovalError
from lycatra_appservice.toolkit.base import Effect, Scope, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.cache import ResultCache
from lycatra_appservice.toolkit.results import MAX_DATA_BYTES, MAX_MARKDOWN_BYTES, bounded
from lycatra_appservice.toolkit.toolbox import Toolbox
from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.text import Text
from tests.support.toolbench import OPERATOR, STRANGER, VIEWER, Lists, a_tool, bench, echo

MINUTE = timedelta(seconds=60)
OTHER_VIEWER = UserID("@other:example.org")

large = st.sampled_from(["x" * 3000, "ü" * 9000, ["ab" * 40] * 300, {"k" * 9000: [1, 2]}])
json_values = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(), large),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


def size(data: object) -> int:
    return len(
        json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    )


def test_a_long_list_loses_its_end_and_the_note_counts_what_went() -> None:
    entries = [{"number": number, "text": "x" * 100} for number in range(500)]
    result = bounded(ToolResult(data={"entries": entries, "total": 500}, markdown="", note="Hm"))

    kept = result.data["entries"]
    assert kept == entries[: len(kept)]
    assert size(result.data) <= MAX_DATA_BYTES < size({"entries": entries[: len(kept) + 2]})
    assert result.data["total"] == 500
    left_out = Text("left_out", n=500 - len(kept))
    assert result.note == Text("and_also", first="Hm", second=left_out)
    assert f"Hm; too much for one answer: {500 - len(kept)} more" in in_english(result.note)


def test_a_small_result_is_left_alone() -> None:
    result = ToolResult(data=[1, 2], markdown="**1**")
    assert bounded(result) == result


def test_the_tools_own_list_is_never_changed() -> None:
    entries = ["x" * 1000] * 100
    bounded(ToolResult(data=entries, markdown=""))
    assert len(entries) == 100


def test_one_long_text_is_cut() -> None:
    result = bounded(ToolResult(data={"log": "x" * 100_000}, markdown=""))
    assert result.data["log"] == "x" * 500 + "…"
    assert result.note
    assert "bytes left out" in in_english(result.note)


@settings(deadline=None)
@given(json_values)
def test_whatever_a_tool_gives_fits_and_says_when_it_was_cut(data: Any) -> None:
    result = bounded(ToolResult(data=data, markdown=""))
    assert size(result.data) <= MAX_DATA_BYTES
    assert (result.note is None) == (size(data) <= MAX_DATA_BYTES)


def test_long_markdown_ends_after_a_whole_line_with_its_code_block_closed() -> None:
    text = "```\n" + "ünïcode line\n" * 60_000
    result = bounded(ToolResult(data={}, markdown=text))

    lines = result.markdown.splitlines()
    assert set(lines[1:-3]) == {"ünïcode line"}
    assert lines[-3:] == ["```", "", "…"]
    assert len(result.markdown.encode()) <= MAX_MARKDOWN_BYTES + 30
    assert result.note == Text("text_cut")


def counting() -> tuple[list[UserID], Callable[[ToolArgs, ToolContext], Any]]:
    ran: list[UserID] = []

    async def count(args: ToolArgs, ctx: ToolContext) -> ToolResult:
        ran.append(ctx.caller.user_id)
        return ToolResult(data=len(ran), markdown="")

    return ran, count


async def test_the_same_question_is_answered_from_memory_until_its_time_is_over() -> None:
    ran, count = counting()
    async with bench([a_tool(run=count, cache_for=MINUTE)]) as on:
        first = await on.toolbox().call("say_something", {"times": 2})
        again = await on.toolbox().call("say_something", {"times": "2", "text": " "})
        on.clock.seconds = 59.9
        await on.toolbox().call("say_something", {"times": 2})
        assert (first.data, again.data, len(ran)) == (1, 1, 1)

        on.clock.seconds = 60
        assert (await on.toolbox().call("say_something", {"times": 2})).data == 2
        assert on.calls.outcomes == ["ok", "cached", "cached", "ok"]


async def test_other_arguments_people_and_rooms_are_other_questions() -> None:
    ran, count = counting()
    async with bench([a_tool(run=count, cache_for=MINUTE)]) as on:
        await on.toolbox(room="!a").call("say_something", {})
        await on.toolbox(room="!b").call("say_something", {})
        await on.toolbox(OTHER_VIEWER, room="!a").call("say_something", {})
        await on.toolbox(room="!a").call("say_something", {"times": 2})

        assert len(ran) == 4


async def test_a_shared_result_is_for_everybody_who_may_and_nobody_else() -> None:
    ran, count = counting()
    shared = a_tool(run=count, cache_for=MINUTE, scope=Scope.SHARED)
    async with bench([shared], lists=Lists(viewer=["*:example.org"])) as on:
        await on.toolbox(VIEWER).call("say_something", {})
        await on.toolbox(OPERATOR, room="!a").call("say_something", {})
        with pytest.raises(NotAllowedError):
            await on.toolbox(STRANGER).call("say_something", {})

        assert ran == [VIEWER]
        assert on.calls.outcomes == ["ok", "cached", "not_allowed"]


async def test_nothing_is_kept_unless_the_tool_says_so() -> None:
    ran, count = counting()
    async with bench([a_tool(run=count)]) as on:
        await on.toolbox().call("say_something", {})
        await on.toolbox().call("say_something", {})
        assert len(ran) == 2


async def test_the_memory_is_bounded_and_the_oldest_result_makes_room() -> None:
    async with bench([a_tool(run=echo, cache_for=MINUTE)]) as on:
        for number in range(257):
            await on.toolbox().call("say_something", {"text": str(number)})
        await on.toolbox().call("say_something", {"text": "256"})
        await on.toolbox().call("say_something", {"text": "0"})

        assert on.calls.outcomes[-2:] == ["cached", "ok"]


async def approved(toolbox: Toolbox) -> Approved:
    """As people give it for `turn_off`."""
    with pytest.raises(NeedsApprovalError) as needed:
        await toolbox.call("turn_off", {})
    return Approved(number=7, args_hash=needed.value.args_hash, code="AAAA", by=[OPERATOR])


async def test_a_change_in_a_namespace_makes_its_kept_results_worthless() -> None:
    ran, count = counting()
    tools = [
        a_tool(run=count, cache_for=MINUTE, scope=Scope.SHARED),
        a_tool(name="turn_off", run=count, effect=Effect.CHANGE),
    ]
    async with bench(tools) as on:
        toolbox = on.toolbox(OPERATOR)
        await toolbox.call("say_something", {})
        await toolbox.call("say_something", {})
        assert len(ran) == 1

        await toolbox.call("turn_off", {}, approved=await approved(toolbox))
        await toolbox.call("say_something", {})

        assert len(ran) == 3


async def test_what_was_looked_for_before_a_change_is_not_kept_after_it() -> None:
    looking, changed = asyncio.Event(), asyncio.Event()

    async def look(args: ToolArgs, ctx: ToolContext) -> ToolResult:
        looking.set()
        await changed.wait()
        return ToolResult(data={}, markdown="x")

    async def fail(args: ToolArgs, ctx: ToolContext) -> ToolResult:
        raise ToolFailedError("It may or may not have worked.")

    tools = [
        a_tool(run=look, cache_for=MINUTE),
        a_tool(name="turn_off", run=fail, effect=Effect.CHANGE),
    ]
    async with asyncio.timeout(5), bench(tools) as on:
        call = asyncio.create_task(on.toolbox().call("say_something", {}))
        await looking.wait()
        toolbox = on.toolbox(OPERATOR)
        let = await approved(toolbox)
        with pytest.raises(ToolFailedError):
            await toolbox.call("turn_off", {}, approved=let)
        changed.set()
        await call
        looking.clear()

        await on.toolbox().call("say_something", {})

        assert looking.is_set()


def test_a_change_leaves_the_results_of_other_namespaces() -> None:
    cache, tool = ResultCache(lambda: 0.0), a_tool(cache_for=MINUTE)
    result = ToolResult(data={}, markdown="x")
    for key, namespace in (("a", "logs"), ("b", "services")):
        cache.put(key, tool, result, namespace=namespace, changes=cache.changes(namespace))

    cache.changed("services")

    assert (cache.get("a"), cache.get("b")) == (result, None)
