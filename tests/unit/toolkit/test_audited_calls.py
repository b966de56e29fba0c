"""Every call leaves a line in the audit, whatever becomes of it."""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lycatra_appservice.audit.entry import STARTED, Entry, Ruling
from lycatra_appservice.errors import StoreUnavailableError, ToolError, ToolFailedError
from lycatra_appservice.model import Caller, Face, Level, RoomID
from lycatra_appservice.settings import Permission
from lycatra_appservice.toolkit.base import (
    Effect,
    Field,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.toolkit.observing import CallWatch, Outcome
from lycatra_appservice.toolkit.steps import JustRun
from lycatra_appservice.toolkit.toolbox import _Made
from tests.support.toolbench import (
    CANARY,
    VIEWER,
    Calls,
    EchoArgs,
    Kept,
    StillClock,
    a_tool,
    bench,
    echo,
)

SECRET = "zeisig"
CALLER = Caller(
    user_id=VIEWER,
    face=Face.AGENT,
    room_id=RoomID("!room"),
    on_behalf_of_turn="$asked",
    run=2,
)


class Login(ToolArgs):
    password: str = Field(max_length=20, description="Like magic.")


async def fail(args: ToolArgs, ctx: ToolContext) -> ToolResult:
    raise ToolFailedError(f"The disk is full of {SECRET}.")


async def crash(args: ToolArgs, ctx: ToolContext) -> ToolResult:
    raise RuntimeError(SECRET)


HIDDEN = Permission(tools=("hide_it",), hidden=True)


async def hang(args: ToolArgs, ctx: ToolContext) -> ToolResult:
    await asyncio.Event().wait()
    raise AssertionError


async def audited(tool: Tool[ToolArgs], name: str = "say_something", **raw: Any) -> list[Entry]:
    """What one call leaves in the audit."""
    async with bench([tool], rules=[HIDDEN] if tool.name == "hide_it" else ()) as on:
        toolbox = await on.gate.open(CALLER)
        with suppress(ToolError):
            await toolbox.call(name, raw)
        return on.audit.entries


async def test_a_call_is_kept_with_who_where_what_and_what_came_of_it() -> None:
    [entry] = await audited(a_tool(run=echo), text="ha", times="2")

    assert entry == Entry(
        call=entry.call,
        person=VIEWER,
        face="agent",
        tool="say_something",
        ruling=Ruling.ALLOWED,
        outcome="ok",
        room_id=RoomID("!room"),
        trigger_id="$asked",
        run=2,
        took_ms=0,
        arguments='{"text": "ha", "times": "2"}',
        arguments_hash=entry.arguments_hash,
    )
    assert len(entry.call) == 16


@pytest.mark.parametrize(
    ("tool", "raw", "ruling", "outcome"),
    [
        (a_tool(level=Level.ADMIN), {}, "refused", "not_allowed"),
        (a_tool(), {"times": 9}, "refused", "invalid_arguments"),
        (a_tool(run=fail), {}, "allowed", "failed"),
        (a_tool(run=crash), {}, "allowed", "crashed"),
        (a_tool(run=hang, timeout=timedelta(milliseconds=5)), {}, "allowed", "timeout"),
    ],
)
async def test_refusals_and_failures_are_kept(
    tool: Tool[ToolArgs], raw: dict[str, Any], ruling: str, outcome: str
) -> None:
    [entry] = await audited(tool, **raw)

    assert (entry.ruling, entry.outcome, entry.tool) == (ruling, outcome, "say_something")
    assert SECRET not in str(entry)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("open_door", "open_door"),
        ("hide_it", "hide_it"),
        ("my password is zeisig", "(unknown)"),
        ("x" * 65, "(unknown)"),
    ],
)
async def test_a_call_of_what_there_is_not_is_kept(name: str, kept: str) -> None:
    [entry] = await audited(a_tool(name="hide_it"), name, token=SECRET)

    assert (entry.tool, entry.ruling, entry.outcome) == (kept, "refused", "unknown_tool")
    assert entry.arguments == '{"token": "***"}'


async def test_a_crash_is_kept_with_what_finds_it_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    [entry] = await audited(a_tool(run=crash))

    [logged] = [record for record in caplog.records if record.message == "tool_crashed"]
    assert entry.reference == vars(logged)["error_id"]


async def test_a_call_that_is_stopped_is_kept() -> None:
    async with bench([a_tool(run=hang)]) as on:
        task = asyncio.create_task(on.toolbox().call("say_something", {}))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert [entry.outcome for entry in on.audit.entries] == ["cancelled"]


async def test_an_answer_from_memory_is_kept_as_such() -> None:
    tool = a_tool(run=echo, cache_for=timedelta(seconds=60))
    async with bench([tool]) as on:
        for _ in range(2):
            await on.toolbox().call("say_something", {})

    assert [entry.outcome for entry in on.audit.entries] == ["ok", "cached"]


async def test_secrets_are_in_no_entry_and_equal_calls_can_be_told() -> None:
    tool = a_tool(run=_nothing, args=Login)
    async with bench([tool]) as on:
        for password in (SECRET, SECRET, "other"):
            await on.toolbox().call("say_something", {"password": password})
        with pytest.raises(ToolError):
            await on.toolbox().call("say_something", {"password": SECRET * 9, "note": CANARY})

    assert SECRET not in str(on.audit.entries)
    assert CANARY not in str(on.audit.entries)
    one, same, other, wrong = (entry.arguments_hash for entry in on.audit.entries)
    assert one == same
    assert len({one, other, wrong}) == 3


async def test_hashes_tell_nothing_about_how_arguments_were_written() -> None:
    hashes = {
        (await audited(a_tool(run=echo), **raw))[0].arguments_hash
        for raw in ({"text": "a", "times": 1}, {"times": "1", "text": " a "}, {"text": "a"})
    }

    assert len(hashes) == 1


async def test_without_the_audit_nothing_is_answered() -> None:
    async with bench([a_tool(run=echo)]) as on:
        on.audit.refuses = True

        with pytest.raises(StoreUnavailableError):
            await on.toolbox().call("say_something", {})


# --- changes: kept before they are begun ---


async def change(audit: Kept, *, then: BaseException | None = None) -> None:
    """What the gate does around a change that was approved."""
    watch = CallWatch(Calls(), audit, str, StillClock())
    async with watch.over(CALLER, "say_something", {"text": "x"}, a_tool()) as observation:
        observation.checked = EchoArgs(text="x")
        observation.approval, observation.approvers = "K7QF", [VIEWER]
        await observation.starting()
        if then is not None:
            raise then


async def test_a_change_is_kept_before_it_begins_and_when_it_has_ended() -> None:
    audit = Kept()
    await change(audit)

    assert audit.entries == audit.written
    begun, ended = audit.written
    assert (begun.outcome, begun.took_ms, ended.outcome) == (STARTED, None, "ok")
    assert begun == replace(ended, outcome=STARTED, took_ms=None)
    assert (begun.approval, begun.approvers) == ("K7QF", (VIEWER,))
    assert json.loads(begun.arguments or "") == {"text": "x"}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ToolFailedError("no"), Outcome.FAILED),
        (asyncio.CancelledError(), Outcome.CANCELLED),
        (RuntimeError(), Outcome.CRASHED),
    ],
)
async def test_the_end_of_a_change_is_kept_at_once_however_it_ends(
    error: BaseException, outcome: str
) -> None:
    audit = Kept()
    with pytest.raises(type(error)):
        await change(audit, then=error)

    assert [entry.outcome for entry in audit.written] == [STARTED, outcome]


async def test_a_change_that_cannot_be_kept_is_not_begun() -> None:
    audit = Kept(refuses=True)
    with pytest.raises(StoreUnavailableError):
        await change(audit, then=AssertionError())


async def away(args: ToolArgs, ctx: ToolContext) -> ToolResult:
    raise StoreUnavailableError("the memory of tools is away")


async def test_a_call_that_the_database_broke_off_is_no_crash_of_its_tool() -> None:
    async with bench([a_tool(run=away)]) as on:
        with pytest.raises(StoreUnavailableError):
            await on.toolbox().call("say_something", {})

        assert on.calls.outcomes == ["interrupted"]
        assert [entry.outcome for entry in on.audit.entries] == ["interrupted"]


async def test_what_is_kept_does_not_tell_whether_a_tool_is_hidden_or_missing() -> None:
    class Args(ToolArgs):
        door: str = Field(max_length=9, description="x", json_schema_extra={"secret": True})

    hidden = a_tool(name="hide_it", args=Args)
    [there] = await audited(hidden, "hide_it", door="open")
    [missing] = await audited(hidden, "find_it", door="open")

    assert there.arguments == missing.arguments


async def test_the_gate_keeps_a_change_before_it_calls_the_tool() -> None:
    audit = Kept()
    seen: list[str] = []

    async def run(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        seen.extend(entry.outcome for entry in audit.written)
        return ToolResult(data=None, markdown="")

    tool = a_tool(run=run, effect=Effect.CHANGE)
    async with bench([tool]) as on:
        watch = CallWatch(Calls(), audit, str, StillClock())
        async with watch.over(CALLER, tool.name, {}, tool) as observation:
            await on.toolbox()._run(tool, EchoArgs(), _Made({}, None, JustRun(), observation))

    assert seen == [STARTED]


async def _nothing(args: ToolArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(data=None, markdown="")
