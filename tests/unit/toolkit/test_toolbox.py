"""The gate: what every face goes through, in this order."""

import asyncio
import logging
from datetime import timedelta

import pytest
from pydantic import SecretStr

from lycatra_appservice.errors import (
    InvalidArgumentsError,
    NotAllowedError,
    ToolFailedError,
    ToolTimeoutError,
    UnknownToolError,
)
from lycatra_appservice.model import JSON, Caller, Face, Level
from lycatra_appservice.settings import Permission
from lycatra_appservice.toolkit.approvals import Approved, NeedsApprovalError
from lycatra_appservice.toolkit.base import (
    Effect,
    Field,
    Namespace,
    Plan,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.toolkit.registry import Registry
from tests.support.toolbench import (
    OPERATOR,
    STRANGER,
    TESTING,
    VIEWER,
    EchoArgs,
    Lists,
    a_tool,
    bench,
    echo,
)

SOON = timedelta(milliseconds=20)


def let(needed: pytest.ExceptionInfo[NeedsApprovalError]) -> Approved:
    """What people who let this call through would give."""
    return Approved(number=7, args_hash=needed.value.args_hash, code="AAAA", by=[OPERATOR])


async def test_an_allowed_call_runs_with_its_checked_arguments() -> None:
    async with bench([a_tool(run=echo)]) as on:
        result = await on.toolbox().call("say_something", {"text": " ha ", "times": "3"})

        assert result.data == {"said": "hahaha"}
        assert on.calls.heard == [("say_something", Face.COMMAND, "ok")]


async def test_permission_is_decided_before_arguments_are_looked_at() -> None:
    async with bench([a_tool(level=Level.OPERATOR)]) as on:
        with pytest.raises(NotAllowedError) as caught:
            await on.toolbox(VIEWER).call("say_something", {"nonsense": 1})

        assert caught.value.user_message == (
            "`say_something` needs an operator, and you are a viewer here. "
            "These could do it: @operator:example.org."
        )
        assert on.calls.outcomes == ["not_allowed"]


async def test_arguments_are_checked_before_an_approval_is_spoken_of() -> None:
    async with bench([a_tool(effect=Effect.CHANGE)]) as on:
        with pytest.raises(InvalidArgumentsError):
            await on.toolbox().call("say_something", {"times": 9})

        assert on.calls.outcomes == ["invalid_arguments"]


async def test_a_changing_tool_never_runs_without_an_approval() -> None:
    async with bench([a_tool(effect=Effect.CHANGE)], lists=Lists(admin=[OPERATOR])) as on:
        with pytest.raises(NeedsApprovalError, match="somebody has to approve it first"):
            await on.toolbox(OPERATOR).call("say_something", {})

        assert on.calls.outcomes == ["needs_approval"]


async def test_no_argument_that_a_model_can_write_is_an_approval() -> None:
    async with bench([a_tool(effect=Effect.CHANGE)]) as on:
        for written in ("approved", "approval", "force", "confirm"):
            with pytest.raises(InvalidArgumentsError):
                await on.toolbox(OPERATOR).call("say_something", {written: True})


async def test_an_approval_counts_for_the_arguments_that_were_shown_and_no_others() -> None:
    async with bench([a_tool(run=echo, effect=Effect.CHANGE)]) as on:
        with pytest.raises(NeedsApprovalError) as needed:
            await on.toolbox().call("say_something", {"text": "ha"})
        approved = let(needed)

        with pytest.raises(ToolFailedError, match="is not what was approved"):
            await on.toolbox().call("say_something", {"text": "ho"}, approved=approved)
        result = await on.toolbox().call("say_something", {"text": "ha"}, approved=approved)

        assert result.data == {"said": "ha"}


async def test_an_approval_does_not_count_for_another_plan() -> None:
    steps = ["restarts it"]

    async def plan(args: EchoArgs, ctx: ToolContext) -> Plan:
        return Plan(target=args.text, steps=steps)

    tool = a_tool(run=echo, effect=Effect.CHANGE, plan=plan)
    async with bench([tool]) as on:
        with pytest.raises(NeedsApprovalError) as needed:
            await on.toolbox().call("say_something", {"text": "web"})
        steps[0] = "deletes it"

        with pytest.raises(ToolFailedError, match="is not what was approved"):
            await on.toolbox().call(
                "say_something",
                {"text": "web"},
                approved=let(needed),
            )


async def test_who_may_not_use_a_tool_may_not_use_it_approved_either() -> None:
    async with bench([a_tool(effect=Effect.CHANGE)]) as on:
        with pytest.raises(NeedsApprovalError) as needed:
            await on.toolbox(VIEWER).call("say_something", {})

        with pytest.raises(NotAllowedError):
            await on.toolbox(STRANGER).call("say_something", {}, approved=let(needed))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [({}, {"times": 1}), ({"text": ""}, {"text": "", "times": 1}), ({"times": 2}, {"times": 2})],
)
async def test_nobody_is_asked_about_what_is_empty_and_was_not_said(
    raw: dict[str, JSON], shown: dict[str, JSON]
) -> None:
    async with bench([a_tool(effect=Effect.CHANGE)]) as on:
        with pytest.raises(NeedsApprovalError) as needed:
            await on.toolbox().call("say_something", raw)

    assert needed.value.shown == shown


async def test_secrets_are_hidden_from_who_is_asked_and_run_as_they_are() -> None:
    class Args(ToolArgs):
        user: str = Field(max_length=20, description="Who.")
        api_token: str = Field(max_length=20, description="Whose.")
        password: SecretStr = Field(max_length=20, description="Which.")

    async with bench([a_tool(args=Args, effect=Effect.CHANGE)]) as on:
        with pytest.raises(NeedsApprovalError) as needed:
            await on.toolbox().call(
                "say_something", {"user": "ada", "api_token": "s3cret", "password": "s3cret"}
            )

        assert needed.value.shown == {"user": "ada", "api_token": "***", "password": "***"}
        assert needed.value.arguments["password"] == "s3cret"


async def test_a_change_makes_what_was_looked_up_before_old() -> None:
    looked: list[int] = []

    async def look(args: ToolArgs, ctx: ToolContext) -> ToolResult:
        looked.append(1)
        return ToolResult(data={}, markdown="as it is")

    reading = a_tool(name="get_state", run=look, cache_for=timedelta(seconds=30))
    changing = a_tool(run=echo, effect=Effect.CHANGE)
    async with bench([reading, changing]) as on:
        toolbox = on.toolbox()
        await toolbox.call("get_state", {})
        with pytest.raises(NeedsApprovalError) as needed:
            await toolbox.call("say_something", {})
        await toolbox.call("get_state", {})
        assert len(looked) == 1

        await toolbox.call("say_something", {}, approved=let(needed))
        await toolbox.call("get_state", {})

        assert len(looked) == 2


async def test_a_change_that_breaks_may_have_happened_all_the_same() -> None:
    async def breaks(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        raise RuntimeError("half-way")

    async with bench([a_tool(run=breaks, effect=Effect.CHANGE)]) as on:
        with pytest.raises(NeedsApprovalError) as needed:
            await on.toolbox().call("say_something", {})

        with pytest.raises(ToolFailedError, match="may or may not have happened") as caught:
            await on.toolbox().call("say_something", {}, approved=let(needed))

    assert caught.value.in_doubt


async def test_a_change_that_takes_too_long_may_have_happened_all_the_same() -> None:
    async def hangs(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        await asyncio.Event().wait()
        raise AssertionError("not reached")

    tool = a_tool(run=hangs, effect=Effect.CHANGE, timeout=timedelta(milliseconds=20))
    async with bench([tool]) as on:
        with pytest.raises(NeedsApprovalError) as needed:
            await on.toolbox().call("say_something", {})

        with pytest.raises(ToolTimeoutError, match="may or may not have happened") as caught:
            await on.toolbox().call("say_something", {}, approved=let(needed))

    assert caught.value.in_doubt


async def test_a_change_whose_plan_takes_too_long_has_not_happened() -> None:
    is_slow: list[bool] = []

    async def plan(args: EchoArgs, ctx: ToolContext) -> Plan:
        if is_slow:
            await asyncio.Event().wait()
        return Plan(target="web", steps=["restarts it"])

    tool = a_tool(run=echo, effect=Effect.CHANGE, plan=plan, timeout=timedelta(milliseconds=20))
    async with bench([tool]) as on:
        with pytest.raises(NeedsApprovalError) as needed:
            await on.toolbox().call("say_something", {})
        is_slow.append(True)

        with pytest.raises(ToolTimeoutError) as caught:
            await on.toolbox().call("say_something", {}, approved=let(needed))

    assert not caught.value.in_doubt
    assert "may or may not" not in caught.value.user_message


async def test_a_stranger_sees_and_may_nothing() -> None:
    async with bench([a_tool()]) as on:
        toolbox = on.toolbox(STRANGER)

        assert toolbox.tools() == ()
        assert toolbox.known_names() == ("say_something",)
        with pytest.raises(NotAllowedError, match="you are somebody without rights here"):
            await toolbox.call("say_something", {})


async def test_a_toolbox_offers_only_what_may_be_used_sorted_by_name() -> None:
    tools = [a_tool(name="say_zero"), a_tool(name="say_one", level=Level.OPERATOR)]
    async with bench([*tools, a_tool(name="hum_tune")]) as on:
        assert [tool.name for tool in on.toolbox(VIEWER).tools()] == ["hum_tune", "say_zero"]
        assert [tool.name for tool in on.toolbox(OPERATOR).tools()] == [
            "hum_tune",
            "say_one",
            "say_zero",
        ]
        assert on.toolbox(VIEWER).tool("hum_tune").name == "hum_tune"
        with pytest.raises(NotAllowedError):
            on.toolbox(VIEWER).tool("say_one")


async def test_a_hidden_tool_looks_unknown() -> None:
    hidden = Permission(tools=("hum_tune",), hidden=True)
    async with bench([a_tool(), a_tool(name="hum_tune")], rules=[hidden]) as on:
        toolbox = on.toolbox()
        messages = []
        for name in ("hum_tune", "hum_tunes"):
            with pytest.raises(UnknownToolError) as caught:
                await toolbox.call(name, {})
            messages.append(caught.value.user_message.replace(name, "…"))

        assert messages[0] == messages[1]
        assert toolbox.known_names() == ("say_something",)
        assert on.calls.heard == [("(unknown)", Face.COMMAND, "unknown_tool")] * 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("say_somethin", "Did you mean `say_something`?"),
        ("repeat", "Did you mean `say_something`?"),
        ("hum_tone", "`help` lists what you may use."),
    ],
)
async def test_an_unknown_name_is_answered_with_a_likely_one_the_person_may_use(
    name: str, hint: str
) -> None:
    forbidden = a_tool(name="hum_tune", level=Level.OPERATOR)
    async with bench([a_tool(also_called=["repeat"]), forbidden]) as on:
        with pytest.raises(UnknownToolError) as caught:
            await on.toolbox().call(name, {})

        assert caught.value.user_message == f"I don't know a tool called `{name}`. {hint}"


async def test_a_huge_made_up_name_is_neither_repeated_nor_counted_by_name() -> None:
    async with bench([a_tool()]) as on:
        with pytest.raises(UnknownToolError) as caught:
            await on.toolbox().call("`x`\n" * 10_000, {})

        assert len(caught.value.user_message) < 150
        assert "\n" not in caught.value.user_message
        assert on.calls.heard == [("(unknown)", Face.COMMAND, "unknown_tool")]


async def test_the_toolbox_of_one_namespace_has_only_its_tools() -> None:
    other = Namespace(name="other", display_name="Other", summary="Other tools.")
    registry = Registry(
        [TESTING, other],
        {"testing": [a_tool(run=echo)], "other": [a_tool(name="hum_tune", run=echo)]},
    )
    async with bench(registry=registry) as on:
        limited = on.toolbox(namespace="other")

        assert [tool.name for tool in limited.tools()] == ["hum_tune"]
        with pytest.raises(UnknownToolError):
            await limited.call("say_something", {})


async def test_a_tool_that_takes_too_long_is_ended_with_a_sentence() -> None:
    ended = asyncio.Event()

    async def hang(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    async with bench([a_tool(run=hang, timeout=SOON)]) as on, asyncio.timeout(5):
        with pytest.raises(ToolTimeoutError) as caught:
            await on.toolbox().call("say_something", {})

        assert ended.is_set()
        assert "did not answer within 0.02 seconds" in caught.value.user_message
        assert on.calls.outcomes == ["timeout"]


async def test_waiting_for_a_free_place_counts_into_the_time() -> None:
    running, finish = asyncio.Event(), asyncio.Event()

    async def busy(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        running.set()
        await finish.wait()
        return ToolResult(data={}, markdown="")

    tools = [a_tool(name="keep_busy", run=busy), a_tool(timeout=SOON)]
    async with bench(tools, slots=1) as on, asyncio.timeout(5):
        first = asyncio.create_task(on.toolbox().call("keep_busy", {}))
        await running.wait()
        with pytest.raises(ToolTimeoutError, match="for others to finish"):
            await on.toolbox().call("say_something", {})
        finish.set()
        await first

        assert on.calls.outcomes == ["timeout", "ok"]


async def test_one_namespace_that_is_busy_does_not_hold_up_another() -> None:
    running, finish = asyncio.Event(), asyncio.Event()

    async def busy(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        running.set()
        await finish.wait()
        return ToolResult(data={}, markdown="")

    other = Namespace(name="other", display_name="Other", summary="Other tools.")
    registry = Registry(
        [TESTING, other],
        {"testing": [a_tool(name="keep_busy", run=busy)], "other": [a_tool(run=echo)]},
    )
    async with bench(registry=registry, slots=1) as on, asyncio.timeout(5):
        first = asyncio.create_task(on.toolbox().call("keep_busy", {}))
        await running.wait()
        await on.toolbox().call("say_something", {})
        finish.set()
        await first


async def test_a_place_is_free_again_after_a_failure() -> None:
    async def fail(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        raise ToolFailedError("The kettle is empty; fill it first.")

    async with bench([a_tool(run=fail)], slots=1) as on, asyncio.timeout(5):
        for _ in range(3):
            with pytest.raises(ToolFailedError, match="The kettle is empty"):
                await on.toolbox().call("say_something", {})

        assert on.calls.outcomes == ["failed"] * 3


@pytest.mark.parametrize("error", [RuntimeError("password=secret"), TimeoutError("secret")])
async def test_a_crash_is_told_plainly_and_its_cause_only_to_the_log(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        raise error

    async with bench([a_tool(run=crash)]) as on:
        with pytest.raises(ToolFailedError) as caught:
            await on.toolbox().call("say_something", {})

    [logged] = [record for record in caplog.records if record.message == "tool_crashed"]
    assert logged.exc_info is not None
    assert logged.exc_info[1] is error
    assert "secret" not in caught.value.user_message
    assert str(vars(logged)["error_id"]) in caught.value.user_message
    assert on.calls.outcomes == ["crashed"]


async def test_a_result_that_is_no_json_is_a_crash_of_the_tool() -> None:
    async def odd(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        return ToolResult(data={"when": ctx.now()}, markdown="")

    async with bench([a_tool(run=odd)]) as on:
        with pytest.raises(ToolFailedError):
            await on.toolbox().call("say_something", {})
        assert on.calls.outcomes == ["crashed"]


async def test_a_cancelled_call_stays_cancelled_and_is_counted() -> None:
    running = asyncio.Event()

    async def hang(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        running.set()
        return await asyncio.Future()

    async with bench([a_tool(run=hang)]) as on, asyncio.timeout(5):
        call = asyncio.create_task(on.toolbox().call("say_something", {}))
        await running.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        assert on.calls.outcomes == ["cancelled"]


async def test_a_call_is_one_log_line_without_its_arguments(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with bench([a_tool(run=echo)]) as on:
        await on.toolbox().call("say_something", {"text": "my secret"})

    [line] = [record for record in caplog.records if record.message == "tool_called"]
    fields = vars(line)
    assert (fields["tool"], fields["caller"], fields["face"], fields["outcome"]) == (
        "say_something",
        VIEWER,
        "command",
        "ok",
    )
    assert fields["tool_ms"] == 0.0
    assert "my secret" not in str(fields)


async def test_a_tool_learns_who_asked_and_what_else_they_may_use() -> None:
    seen: list[ToolContext] = []

    async def look(args: ToolArgs, ctx: ToolContext) -> ToolResult:
        seen.append(ctx)
        return ToolResult(data=[part.name for part in await ctx.components()], markdown="")

    tools = [a_tool(run=look), a_tool(name="say_no", level=Level.OPERATOR)]
    async with bench(tools, zone="Europe/Berlin") as on:
        result = await on.toolbox().call("say_something", {})

    [ctx] = seen
    assert ctx.caller.user_id == VIEWER
    assert ctx.zone.key == "Europe/Berlin"
    assert [(tool.name, tool.namespace) for tool in ctx.visible_tools()] == [
        ("say_something", "testing")
    ]
    assert ctx.log.name == "lycatra_appservice.tools.testing.say_something"
    assert result.data == ["lycatra", "database"]


async def test_a_kept_answer_of_one_face_is_not_given_to_another() -> None:
    async def what_is_there(args: EchoArgs, ctx: ToolContext) -> ToolResult:
        return ToolResult(data=[tool.name for tool in ctx.visible_tools()], markdown="")

    tools = [
        a_tool(run=what_is_there, cache_for=timedelta(seconds=60)),
        a_tool(name="hide_it"),
    ]
    rule = Permission(tools=("hide_it",), faces=("agent",), hidden=True)
    async with bench(tools, rules=[rule]) as on:
        seen = {}
        for face in (Face.COMMAND, Face.AGENT):
            toolbox = await on.gate.open(Caller(user_id=VIEWER, face=face, room_id=None))
            seen[face] = (await toolbox.call("say_something", {})).data

    assert seen == {
        Face.COMMAND: ["hide_it", "say_something"],
        Face.AGENT: ["say_something"],
    }


async def end_the_program(args: ToolArgs, ctx: ToolContext) -> ToolResult:
    raise SystemExit(3)


async def give_up(args: ToolArgs, ctx: ToolContext) -> ToolResult:
    broken_off = asyncio.create_task(asyncio.sleep(60))
    broken_off.cancel()
    await broken_off
    raise AssertionError("nothing is left to wait for")


async def end_the_plan(args: ToolArgs, ctx: ToolContext) -> Plan:
    raise SystemExit(3)


@pytest.mark.parametrize("run", [end_the_program, give_up])
async def test_a_tool_that_would_end_the_service_or_its_turn_has_only_failed_itself(
    run: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench([a_tool(run=run)]) as on:
        with pytest.raises(ToolFailedError, match="in the log under"):
            await on.toolbox().call("say_something", {})

        assert on.calls.outcomes == ["crashed"]
        assert "tool_crashed" in caplog.messages


async def test_neither_does_its_plan_end_the_service() -> None:
    tools = [a_tool(effect=Effect.CHANGE, plan=end_the_plan)]
    async with bench(tools) as on:
        with pytest.raises(ToolFailedError, match="in the log under"):
            await on.toolbox().call("say_something", {})

        assert on.calls.outcomes == ["crashed"]
