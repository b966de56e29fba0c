"""Traces: what a collector sees of a question, and that nobody waits for the collector."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from lycatra_appservice.agent.prompt import without_context
from lycatra_appservice.app.traces import OTLP, open_traces
from lycatra_appservice.ops.otlp import OtlpTracer
from lycatra_appservice.settings import NamedModel, Otlp
from lycatra_appservice.toolkit.extras import Extra
from tests.support.approving import LISTS, OPERATOR, Services, card_id, seat_people
from tests.support.collector import Collector, collector
from tests.support.model_server import ModelServer, calls, model_server, refuses, says
from tests.support.scene import EVERYBODY, ROOM, Scene, open_scene
from tests.unit.chat.revising import reaction

SECRET = "canary-of-the-key"
CLIENT, INTERNAL = WireSpan.SPAN_KIND_CLIENT, WireSpan.SPAN_KIND_INTERNAL

Traced = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


@pytest.fixture
async def seen() -> AsyncIterator[Collector]:
    async with collector() as running:
        yield running


@pytest.fixture
def traced(tmp_path: Path, model: ModelServer, seen: Collector) -> Traced:
    """A scene whose traces have arrived when it is left."""

    @asynccontextmanager
    async def opened(otlp: Otlp | None = None, **more: Any) -> AsyncIterator[Scene]:
        tracer = OtlpTracer(
            otlp or Otlp(endpoint=seen.url),
            instance="one",
            conceal=lambda text: text.replace(SECRET, "***"),
            flush_seconds=0.5 if seen.hangs else 10,
        )
        url = None if "models" in more else model.base_url
        try:
            async with open_scene(tmp_path, tracer=tracer, model_url=url, **more) as scene:
                scene.seat(*EVERYBODY)
                yield scene
        finally:
            async with asyncio.timeout(20):
                await tracer.aclose()

    return opened


async def test_a_question_is_one_tree_of_requests_and_calls(
    traced: Traced, seen: Collector, model: ModelServer
) -> None:
    model.will(
        calls(("list_updates", '{"limit": 1}'), ("help", "{}")),
        says("There is one.", prompt_tokens=700),
    )
    async with traced() as scene:
        await scene.ask("lycatra: what is new?")

    root = seen.one("invoke_agent lycatra")
    assert root.parent == b""
    assert root.kind == INTERNAL
    assert root.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert root.attributes["gen_ai.conversation.id"].startswith(ROOM)
    assert root.attributes["gen_ai.usage.input_tokens"] == 700
    assert root.resource["service.name"] == "lycatra"
    assert root.resource["service.instance.id"] == "one"

    below = [span for span in seen.spans if span is not root]
    assert {span.trace for span in seen.spans} == {root.trace}
    assert {span.parent for span in below} == {root.id}
    assert sorted(span.name for span in below) == [
        "chat test-model",
        "chat test-model",
        "execute_tool help",
        "execute_tool list_updates",
    ]
    first, second = seen.named("chat")
    assert first.kind == CLIENT
    assert first.attributes["gen_ai.operation.name"] == "chat"
    assert first.attributes["gen_ai.provider.name"] == "openai_compatible"
    assert first.attributes["gen_ai.request.model"] == "test-model"
    assert first.attributes["server.address"] == "127.0.0.1"
    assert first.attributes["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert "gen_ai.usage.input_tokens" not in first.attributes
    assert second.attributes["gen_ai.usage.input_tokens"] == 700
    assert second.attributes["gen_ai.usage.output_tokens"] == 5
    tool = seen.one("execute_tool list_updates")
    assert tool.kind == INTERNAL
    assert tool.attributes["gen_ai.tool.name"] == "list_updates"
    assert tool.attributes["gen_ai.tool.call.id"] == "call_0"
    assert not any(span.failed for span in seen.spans)


async def test_questions_at_once_are_trees_of_their_own(
    traced: Traced, seen: Collector, model: ModelServer
) -> None:
    model.will(*[says("Yes.")] * 2)
    async with traced() as scene:
        await scene.ask("lycatra: one?")
        await scene.ask("lycatra: two?")
    assert len({span.trace for span in seen.named("invoke_agent")}) == 2
    for root in seen.named("invoke_agent"):
        [chat] = [span for span in seen.named("chat") if span.trace == root.trace]
        assert chat.parent == root.id


async def test_contents_stay_at_home_unless_they_are_asked_for(
    traced: Traced, seen: Collector, model: ModelServer
) -> None:
    model.will(calls(("list_updates", '{"limit": 47}')), says("The answer is plums."))
    async with traced() as scene:
        await scene.ask("lycatra: where are the apples?")
    told = b"".join(seen.bodies)
    for content in (b"apples", b"plums", b"47", b"@person", b"assistant"):
        assert content not in told


async def test_contents_are_told_where_they_are_wanted_and_secrets_never(
    traced: Traced, seen: Collector, model: ModelServer
) -> None:
    model.will(calls(("list_updates", '{"limit": 47}')), says(f"Plums, and {SECRET}."))
    async with traced(Otlp(endpoint=seen.url, content=True)) as scene:
        await scene.ask(f"lycatra: where are the apples of {SECRET}?")
    first, second = seen.named("chat")
    [asked] = json.loads(first.attributes["gen_ai.input.messages"])
    assert asked["role"] == "user"
    said = asked["parts"][0]["content"]
    assert without_context(said).endswith("where are the apples of ***?")
    [rules] = json.loads(first.attributes["gen_ai.system_instructions"])
    assert "Lycatra" in rules["content"]
    [called] = json.loads(first.attributes["gen_ai.output.messages"])
    assert called["parts"][0]["name"] == "list_updates"
    [answered] = json.loads(second.attributes["gen_ai.output.messages"])
    assert answered["parts"][0]["content"] == "Plums, and ***."
    tool = seen.one("execute_tool")
    assert json.loads(tool.attributes["gen_ai.tool.call.arguments"]) == {"limit": 47}
    assert "47" in tool.attributes["gen_ai.tool.call.result"]
    assert SECRET.encode() not in b"".join(seen.bodies)


async def test_what_went_wrong_is_told_where_it_did(
    traced: Traced, seen: Collector, model: ModelServer
) -> None:
    model.will(calls(("get_status", "{}"), ("make_tea", "{}")), refuses(401))
    async with traced() as scene:
        await scene.ask("lycatra: what is new?")
    errors = {(span.name, span.attributes["error.type"]) for span in seen.spans if span.failed}
    assert errors == {
        ("invoke_agent lycatra", "refused"),
        ("chat test-model", "refused"),
        ("execute_tool get_status", "failed"),
        ("execute_tool make_tea", "unknown_tool"),
    }


async def test_each_attempt_and_each_model_has_its_span(
    traced: Traced, seen: Collector, model: ModelServer
) -> None:
    async with model_server() as other:
        models = {
            "home": NamedModel(base_url=model.base_url, model="small"),
            "cloud": NamedModel(base_url=other.base_url, model="large"),
        }
        model.will(*[refuses(500)] * 3)
        other.will(says("Yes."))
        async with traced(models=models) as scene:
            await scene.ask("lycatra: what is new?")
    assert [(span.name, span.failed) for span in seen.named("chat")] == [
        ("chat small", True),
        ("chat small", True),
        ("chat small", True),
        ("chat large", False),
    ]
    assert not seen.one("invoke_agent").failed


async def test_a_turn_that_waits_goes_on_in_its_trace_and_asks_nothing_twice(
    traced: Traced, seen: Collector, model: ModelServer
) -> None:
    services = Services()
    model.will(calls(("restart_service", '{"service": "web"}')), says("It is back."))
    async with traced(lists=LISTS, tools=services.tools()) as scene:
        seat_people(scene)
        await scene.ask("lycatra: please restart web")
        await scene.hear(reaction(scene, card_id(scene), "✅", sender=OPERATOR))
    assert services.restarted == ["web"]
    waiting, going_on = seen.named("invoke_agent")
    assert waiting.trace == going_on.trace
    assert waiting.attributes["lycatra.waits_for_approval"] is True
    assert "lycatra.waits_for_approval" not in going_on.attributes
    asked, ran = seen.named("execute_tool")
    assert (asked.parent, ran.parent) == (waiting.id, going_on.id)
    assert asked.attributes["lycatra.waits_for_approval"] is True
    first, last = seen.named("chat")  # what was replayed is none
    assert (first.parent, last.parent) == (waiting.id, going_on.id)
    assert not any(span.failed for span in seen.spans)


async def test_the_headers_of_the_configuration_are_sent(
    traced: Traced, seen: Collector, model: ModelServer
) -> None:
    model.will(says("Yes."))
    otlp = Otlp.model_validate(
        {"endpoint": f"{seen.url}/v1/traces", "headers": {"X-Key": "the-key"}}
    )
    assert "the-key" not in repr(otlp)
    async with traced(otlp) as scene:
        await scene.ask("lycatra: what is new?")
    assert {headers["X-Key"] for headers in seen.headers} == {"the-key"}


async def test_questions_that_are_not_sampled_are_not_sent(
    traced: Traced, seen: Collector, model: ModelServer
) -> None:
    model.will(says("Yes."))
    async with traced(Otlp(endpoint=seen.url, sample_ratio=0)) as scene:
        [said] = await scene.ask("lycatra: what is new?")
    assert said.body == "Yes."
    assert seen.headers == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["refuses", "hangs", "gone"])
async def test_a_collector_that_fails_disturbs_no_answer_and_no_ending(
    traced: Traced,
    seen: Collector,
    model: ModelServer,
    how: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen.status = 400
    seen.hangs = how == "hangs"
    otlp = Otlp(endpoint=seen.url)
    if how == "gone":
        await seen.stop()
    model.will(calls(("list_updates", "{}")), says("Yes."))
    with caplog.at_level(logging.WARNING):
        async with traced(otlp) as scene:
            [said] = await scene.ask("lycatra: what is new?")
    assert said.body == "Yes."
    events = [record.message for record in caplog.records if "traces" in record.message]
    assert events == (["traces_not_flushed"] if how == "hangs" else ["traces_not_taken"])


async def test_without_the_extra_there_are_no_traces_and_the_log_names_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    missing = Extra(name="otlp", module="nowhere.to.be.found")
    async with AsyncExitStack() as stack:
        otlp = Otlp(endpoint="http://127.0.0.1:9")
        tracer = open_traces(otlp, stack, instance="one", conceal=str, extra=missing)
    with tracer.question("$1", "name", {}) as span:
        span.put({"a": 1})
    [record] = caplog.records
    assert record.message == "traces_need_an_extra"
    assert "lycatra-appservice[otlp]" in record.__dict__["install"]
    assert OTLP.is_installed
