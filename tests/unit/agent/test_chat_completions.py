import asyncio
import logging
import socket
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from lycatra_appservice.agent.backend import (
    ContextOverflowError,
    ModelBusyError,
    ModelCutError,
    ModelRefusedError,
    ModelSilentError,
    ModelUnreachableError,
    ToolSpec,
)
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Delta,
    Message,
    ModelAnswer,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from lycatra_appservice.errors import ModelError
from lycatra_appservice.settings import Model
from tests.support.model_server import (
    DONE,
    ModelServer,
    calls,
    delta,
    event,
    is_silent,
    redirects,
    refuses,
    refuses_plainly,
    says,
    shows_a_page,
    usage,
    writes,
)
from tests.unit.agent.conftest import OpenBackend

HELLO = (SystemMessage(text="rules"), UserMessage(text="hello"))
TOOLS = (
    ToolSpec(name="list_updates", description="What changed.", schema={"type": "object"}),
    ToolSpec(name="get_status", description="How it is.", schema={"type": "object"}),
)
MOMENT = timedelta(milliseconds=300)  # enough for a request to arrive on a busy machine


async def deltas_of(backend: ChatCompletionsBackend, **kwargs: Any) -> list[Delta]:
    given = {"tool_choice": "auto", **kwargs}
    async with asyncio.timeout(10), aclosing(backend.stream(HELLO, TOOLS, **given)) as deltas:
        return [each async for each in deltas]


async def ask(backend: ChatCompletionsBackend, **kwargs: Any) -> ModelAnswer:
    answer = (await deltas_of(backend, **kwargs))[-1].answer
    assert answer is not None
    return answer


async def settled() -> None:
    """Let finished generators and connections be cleaned up."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("stream", [True, False])
async def test_words_come_in_order_and_whole(
    server: ModelServer, backend_with: OpenBackend, stream: bool
) -> None:
    server.will(says("Hel", "lo ", "grün 😀"))
    deltas = await deltas_of(backend_with(stream=stream))
    assert "".join(each.text for each in deltas) == "Hello grün 😀"
    assert [each.answer for each in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].answer == ModelAnswer(text="Hello grün 😀", calls=(), finish="stop")


@pytest.mark.parametrize("stream", [True, False])
async def test_calls_in_fragments_and_whole_are_the_same(
    server: ModelServer, backend_with: OpenBackend, stream: bool
) -> None:
    server.will(calls(("list_updates", '{"limit": 3}'), ("get_status", "{}"), text="One moment."))
    answer = await ask(backend_with(stream=stream))
    assert answer.text == "One moment."
    assert answer.calls == (
        ToolCall(id="call_0", name="list_updates", arguments='{"limit": 3}'),
        ToolCall(id="call_1", name="get_status", arguments="{}"),
    )


async def test_the_server_is_asked_for_no_more_than_it_must_know(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(says("hi"))
    await ask(backend)
    [asked] = server.asked
    assert set(asked.body) == {"model", "messages", "stream", "stream_options", "tools"}
    assert [each["function"]["name"] for each in asked.body["tools"]] == [
        "get_status",
        "list_updates",
    ]
    assert asked.headers["Authorization"] == "Bearer unused"


async def test_what_is_configured_is_sent(server: ModelServer, backend_with: OpenBackend) -> None:
    server.will(says("hi"))
    key = SecretStr("the-key")
    await ask(backend_with(api_key=key, temperature=0.0, max_output_tokens=99))
    [asked] = server.asked
    assert (asked.body["temperature"], asked.body["max_tokens"]) == (0.0, 99)
    assert asked.headers["Authorization"] == "Bearer the-key"


async def test_the_configuration_of_the_service_fits(server: ModelServer) -> None:
    server.will(says("hi"))
    backend = ChatCompletionsBackend(Model(base_url=server.base_url, model="small"))
    assert (await ask(backend)).text == "hi"
    await backend.aclose()


async def test_past_calls_that_no_server_takes_are_made_harmless(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(says("hi"))
    broken = ToolCall(id="a", name="list updates!", arguments='{"limit": ')
    past = AssistantMessage(text="", calls=(broken,))
    messages: list[Message] = [*HELLO, past, ToolMessage(call_id="a", text="not valid JSON")]
    async with aclosing(backend.stream(messages, TOOLS, tool_choice="auto")) as deltas:
        assert [each async for each in deltas][-1].answer is not None
    assert server.asked[0].messages[2:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "list_updates_", "arguments": "{}"},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "not valid JSON"},
    ]


async def test_a_forbidden_call_is_forbidden_by_parameter(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(says("hi"))
    await ask(backend, tool_choice="none")
    assert server.asked[0].body["tool_choice"] == "none"
    assert len(server.asked[0].body["tools"]) == 2
    # Some servers take the parameter and do not heed it.
    assert "No more tool calls" in server.asked[0].messages[-1]["content"]


async def test_a_server_without_tool_choice_is_told_in_words(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    server.will(says("hi"))
    await ask(backend_with(tool_choice=False), tool_choice="none")
    assert "tool_choice" not in server.asked[0].body
    assert "No more tool calls" in server.asked[0].messages[-1]["content"]


async def test_an_unsupported_parameter_is_dropped_once_and_remembered(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    backend = backend_with(max_output_tokens=99)
    server.will(
        refuses(400, {"message": "bad", "param": "stream_options"}),
        refuses(400, {"message": "Use 'max_completion_tokens', not 'max_tokens'."}),
        says("one"),
        says("two"),
    )
    assert (await ask(backend)).text == "one"
    assert (await ask(backend)).text == "two"
    for asked in server.asked[2:]:
        assert "stream_options" not in asked.body
        assert "max_tokens" not in asked.body
        assert asked.body["max_completion_tokens"] == 99


@pytest.mark.parametrize(
    ("settings", "refusal", "parameter"),
    [
        ({"temperature": 0.1}, {"param": "temperature", "message": "no"}, "temperature"),
        ({"temperature": 0.1}, {"message": "unexpected keyword: temperature"}, "temperature"),
        (
            {"parallel_tool_calls": False},
            {"message": "Unknown field parallel_tool_calls"},
            "parallel_tool_calls",
        ),
        ({"body": {"think": False}}, {"message": "extra input 'think'"}, "think"),
        ({}, {"message": "`stream_options` is not permitted"}, "stream_options"),
        ({"max_output_tokens": 99}, {"param": "max_tokens", "message": "no"}, "max_tokens"),
    ],
)
async def test_whatever_we_can_do_without_is_left_out_after_one_refusal(
    server: ModelServer,
    backend_with: OpenBackend,
    settings: dict[str, Any],
    refusal: object,
    parameter: str,
) -> None:
    backend = backend_with(**settings)
    server.will(refuses(400, refusal), says("one"), says("two"))
    assert [(await ask(backend)).text for _ in range(2)] == ["one", "two"]
    assert [parameter in asked.body for asked in server.asked] == [True, False, False]


async def test_a_refusal_as_fastapi_writes_it_is_understood(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    detail = [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]
    server.will(refuses_plainly(422, {"detail": detail}), says("hi"))
    assert (await ask(backend_with())).text == "hi"
    assert "stream_options" not in server.asked[1].body


async def test_what_a_refusal_repeats_of_the_request_is_not_logged(
    server: ModelServer, backend: ChatCompletionsBackend, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"type": "string_type", "loc": ["body", "messages", 0], "msg": "Not a string"}
    server.will(refuses_plainly(422, {"detail": [{**wrong, "input": "canary-question"}]}))
    with pytest.raises(ModelRefusedError) as raised:
        await ask(backend)
    assert "body.messages.0: Not a string" in str(raised.value)
    logged = [str(record.__dict__) for record in caplog.records]
    assert "canary" not in str(raised.value) + "".join(logged)


async def test_a_server_that_cannot_stream_is_asked_for_whole_answers(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(refuses(400, {"message": "bad", "param": "stream"}), says("hi"))
    assert (await ask(backend)).text == "hi"
    assert server.asked[1].body["stream"] is False
    assert "stream_options" not in server.asked[1].body


async def test_a_refusal_that_speaks_of_streams_costs_no_streaming(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(refuses(400, {"message": "the stream of requests is too strict for this key"}))
    with pytest.raises(ModelRefusedError):
        await ask(backend)


async def test_what_cannot_be_left_out_is_not_asked_again(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(refuses(400, {"message": "bad", "param": "messages"}))
    with pytest.raises(ModelRefusedError):
        await ask(backend)


async def test_the_same_parameter_is_not_dropped_twice(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    refusal = refuses(400, {"message": "bad", "param": "stream_options"})
    server.will(refusal, refusal)
    with pytest.raises(ModelRefusedError):
        await ask(backend)


async def test_every_setting_of_a_request_reaches_the_server(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    server.will(says("hi"))
    backend = backend_with(
        parallel_tool_calls=False,
        stream_usage=False,
        headers={"X-Tenant": "home", "Authorization": "Token other"},
        body={"reasoning_effort": "low", "options": {"num_ctx": 4096}},
    )
    await ask(backend)
    [asked] = server.asked
    assert asked.body["parallel_tool_calls"] is False
    assert "stream_options" not in asked.body
    assert (asked.body["reasoning_effort"], asked.body["options"]) == ("low", {"num_ctx": 4096})
    assert asked.headers["X-Tenant"] == "home"
    assert asked.headers["Authorization"] == "Token other"


async def test_without_tools_nothing_is_said_about_calling_them(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    server.will(says("hi"))
    backend = backend_with(parallel_tool_calls=True)
    async with aclosing(backend.stream(HELLO, (), tool_choice="auto")) as deltas:
        assert [each async for each in deltas][-1].answer is not None
    assert set(server.asked[0].body) == {"model", "messages", "stream", "stream_options"}


STRICT_TOOL = ToolSpec(
    name="list_updates",
    description="What changed.",
    schema={
        "type": "object",
        "properties": {
            "service": {"type": "string", "maxLength": 40},
            "limit": {"type": "integer", "default": 3},
            "kind": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["service"],
        "additionalProperties": False,
    },
)


async def one_call(backend: ChatCompletionsBackend) -> str:
    async with aclosing(backend.stream(HELLO, [STRICT_TOOL], tool_choice="auto")) as deltas:
        answer = [each async for each in deltas][-1].answer
    assert answer is not None
    return answer.calls[0].arguments


async def test_strict_schemas_ask_for_everything_and_tools_get_what_was_meant(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    server.will(calls(("list_updates", '{"service": "web", "limit": null, "kind": null}')))
    assert await one_call(backend_with(strict_schemas=True)) == '{"service": "web"}'
    function = server.asked[0].body["tools"][0]["function"]
    assert function["strict"] is True
    assert function["parameters"] == {
        "type": "object",
        "properties": {
            "service": {"type": "string", "maxLength": 40},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "kind": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["service", "limit", "kind"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "refusal",
    [
        {"message": "Invalid schema for function", "code": "invalid_function_parameters"},
        {"message": "unknown field 'strict'"},
    ],
)
async def test_a_server_that_is_not_strict_gets_the_schemas_as_they_are(
    server: ModelServer, backend_with: OpenBackend, refusal: object
) -> None:
    server.will(refuses(400, refusal), calls(("list_updates", '{"kind": null}')))
    assert await one_call(backend_with(strict_schemas=True)) == '{"kind": null}'
    function = server.asked[1].body["tools"][0]["function"]
    assert "strict" not in function
    assert function["parameters"] == STRICT_TOOL.schema


async def test_a_file_of_authorities_that_is_none_is_said_as_such(
    backend_with: OpenBackend, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(ModelRefusedError, match="ca_file"):
        await ask(backend_with(ca_file=file))
    with pytest.raises(ModelRefusedError, match="ca_file"):
        await backend_with(ca_file=file).probe()


async def test_a_proxy_is_asked_for_the_server_with_its_password(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    proxy = server.base_url.replace("http://", "http://me:word@").removesuffix("/v1")
    server.will(says("hi"))
    backend = backend_with(base_url="http://model.invalid/v1", proxy=proxy)
    assert (await ask(backend)).text == "hi"
    [asked] = server.asked
    assert asked.headers["Host"] == "model.invalid"
    assert asked.headers["Proxy-Authorization"] == "Basic bWU6d29yZA=="


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "x", "code": "context_length_exceeded"}),
        (400, {"message": "x", "type": "exceed_context_size_error", "n_ctx": 4096}),
        (400, {"message": "litellm.ContextWindowExceededError: no", "code": "400"}),
        (500, {"message": "the maximum context length is 4096, max_tokens is 99"}),
        (400, {"message": "prompt is too long: too many tokens", "param": "max_tokens"}),
        (413, {"message": "This model's maximum context length is 8192 tokens."}),
        (400, "Trying to keep the first 9000 tokens, context length is only 4096"),
        (422, {"message": "inputs exceed the context window"}),
    ],
)
async def test_an_overflow_is_known_in_every_dialect(
    server: ModelServer, backend: ChatCompletionsBackend, status: int, error: object
) -> None:
    server.will(refuses(status, error))
    with pytest.raises(ContextOverflowError):
        await ask(backend)


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, {"message": "no"}, ModelRefusedError),
        (401, {"message": "bad key"}, ModelRefusedError),
        (403, "not you", ModelRefusedError),
        (404, {"message": "no such model"}, ModelRefusedError),
        (429, {"message": "quota", "code": "insufficient_quota"}, ModelRefusedError),
        (429, {"message": "slow down"}, ModelBusyError),
        (500, {"message": "oops"}, ModelUnreachableError),
        (503, None, ModelUnreachableError),
    ],
)
async def test_a_status_becomes_the_error_that_says_what_to_do(
    server: ModelServer,
    backend: ChatCompletionsBackend,
    status: int,
    error: object,
    expected: type[ModelError],
) -> None:
    server.will(refuses(status, error))
    with pytest.raises(ModelError) as raised:
        await ask(backend)
    assert type(raised.value) is expected
    assert str(error) not in raised.value.user_message


@pytest.mark.parametrize(
    ("headers", "seconds", "words"),
    [
        ({"Retry-After": "600"}, 600, "10 minutes"),
        ({"Retry-After": "1"}, 1, "a second"),
        ({"retry-after-ms": "1500"}, 1.5, "2 seconds"),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0, "a second"),
        ({"Retry-After": "soon"}, None, "a moment"),
        ({}, None, "a moment"),
    ],
)
async def test_a_busy_server_says_when_to_come_back(
    server: ModelServer,
    backend: ChatCompletionsBackend,
    headers: dict[str, str],
    seconds: float | None,
    words: str,
) -> None:
    server.will(refuses(429, {"message": "slow down"}, headers=headers))
    with pytest.raises(ModelBusyError) as raised:
        await ask(backend)
    wait = raised.value.retry_after
    assert (wait.total_seconds() if wait else wait and 0) == (seconds or wait)
    assert f"again in {words}." in raised.value.user_message


async def test_a_web_page_is_no_answer(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(shows_a_page())
    with pytest.raises(ModelRefusedError) as raised:
        await ask(backend)
    assert "proxy.internal" not in raised.value.user_message


async def test_a_web_page_of_a_gateway_is_a_server_that_is_away(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(shows_a_page(502))
    with pytest.raises(ModelUnreachableError) as raised:
        await ask(backend)
    assert "proxy.internal" not in raised.value.user_message


async def test_the_key_follows_no_redirection(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(redirects(f"{server.base_url}/chat/completions"))
    with pytest.raises(ModelRefusedError):
        await ask(backend)
    assert len(server.asked) == 1


async def test_a_refused_connection_is_a_server_that_is_away(backend_with: OpenBackend) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ModelUnreachableError) as raised:
        await ask(backend_with(base_url=f"http://127.0.0.1:{port}/v1"))
    assert "Connect" in str(raised.value)  # the cause, for the log


@pytest.mark.parametrize(
    "settings",
    [{"api_key": SecretStr("secret-key-1")}, {"headers": {"X-Key": SecretStr("secret-key-1")}}],
)
async def test_a_repeated_key_stays_out_of_log_and_error(
    server: ModelServer,
    backend_with: OpenBackend,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, Any],
) -> None:
    server.will(refuses(401, {"message": "Incorrect API key: secret-key-1"}))
    with caplog.at_level(logging.INFO), pytest.raises(ModelRefusedError) as raised:
        await ask(backend_with(**settings))
    [logged] = [each for each in caplog.records if each.message == "model_request_failed"]
    assert "secret-key-1" not in f"{raised.value} {logged.__dict__}"


async def test_no_first_word_in_time_is_a_silent_model_and_the_server_sees_us_go(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    server.will(is_silent(server))
    backend = backend_with(first_token_timeout=MOMENT)
    await backend.warm_up()
    with pytest.raises(ModelSilentError):
        await ask(backend)
    async with asyncio.timeout(5):
        await server.client_left.wait()


async def test_keep_alive_comments_are_no_words(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    server.will(writes(b": still here\n\n", delta(role="assistant", content=""), end="hang"))
    backend = backend_with(first_token_timeout=MOMENT, idle_timeout=timedelta(minutes=5))
    await backend.warm_up()
    with pytest.raises(ModelSilentError):
        await ask(backend)
    async with asyncio.timeout(5):
        await server.client_left.wait()


async def test_silence_in_mid_answer_keeps_what_was_said(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    server.will(writes(delta(content="It is ") + delta(content="half"), end="hang"))
    with pytest.raises(ModelCutError) as raised:
        await ask(backend_with(first_token_timeout=timedelta(minutes=5), idle_timeout=MOMENT))
    assert raised.value.partial == "It is half"
    async with asyncio.timeout(5):
        await server.client_left.wait()


async def test_the_time_of_the_reader_is_not_the_models(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    go_on = asyncio.Event()
    rest = delta(content=" two") + delta("stop") + DONE
    server.will(writes(delta(content="one"), go_on, rest), is_silent(server))
    backend = backend_with(first_token_timeout=MOMENT, idle_timeout=MOMENT)
    await backend.warm_up()
    async with aclosing(backend.stream(HELLO, (), tool_choice="auto")) as deltas:
        texts = [(await anext(deltas)).text]
        with pytest.raises(ModelSilentError):  # so twice the idle timeout has passed
            await ask(backend_with(first_token_timeout=2 * MOMENT))
        go_on.set()
        texts += [each.text async for each in deltas]
    assert "".join(texts) == "one two"


async def test_a_lost_connection_keeps_what_was_said(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(writes(delta(content="It is half"), end="cut"))
    with pytest.raises(ModelCutError) as raised:
        await ask(backend)
    assert raised.value.partial == "It is half"


async def test_a_preamble_is_no_partial_answer(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    piece = {"index": 0, "id": "a", "function": {"name": "get_status", "arguments": '{"na'}}
    server.will(writes(delta(content="Let me look."), delta(tool_calls=[piece]), end="cut"))
    with pytest.raises(ModelCutError) as raised:
        await ask(backend)
    assert raised.value.partial == ""


async def test_a_connection_lost_before_the_first_word_may_be_tried_again(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(writes(delta(role="assistant"), end="cut"))
    with pytest.raises(ModelUnreachableError):
        await ask(backend)


async def test_a_clean_end_without_done_is_a_truncated_answer(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(writes(delta(content="It is half")))
    answer = await ask(backend)
    assert (answer.text, answer.truncated) == ("It is half", True)


async def test_a_clean_end_without_a_word_may_be_tried_again(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(writes(b": nothing\n\n"))
    with pytest.raises(ModelUnreachableError):
        await ask(backend)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"message": "overloaded"}, ModelUnreachableError),
        ({"message": "slow down", "code": 429}, ModelBusyError),
        ({"message": "no such model", "code": "404"}, ModelRefusedError),
        ({"message": "x", "code": "context_length_exceeded"}, ContextOverflowError),
        ("CUDA out of memory", ModelUnreachableError),
    ],
)
async def test_an_error_inside_the_stream_is_an_error(
    server: ModelServer,
    backend: ChatCompletionsBackend,
    error: object,
    expected: type[ModelError],
) -> None:
    server.will(writes(event({"error": error}), DONE))
    with pytest.raises(ModelError) as raised:
        await ask(backend)
    assert type(raised.value) is expected


async def test_an_error_after_words_is_a_cut(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(writes(delta(content="It is"), event({"error": {"message": "overloaded"}})))
    with pytest.raises(ModelCutError) as raised:
        await ask(backend)
    assert raised.value.partial == "It is"


async def test_garbage_in_the_stream_is_a_cut(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(writes(delta(content="It is"), b"data: {oops\n\n"))
    with pytest.raises(ModelCutError):
        await ask(backend)


async def test_usage_after_the_last_word_is_read(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(writes(delta(content="hi"), delta("stop"), usage(7, 2), DONE))
    answer = await ask(backend)
    assert answer.usage is not None
    assert (answer.usage.prompt, answer.usage.completion) == (7, 2)


async def test_a_reader_who_leaves_takes_the_connection_along(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(writes(delta(content="a long story"), end="hang"))
    before = asyncio.all_tasks()
    async with aclosing(backend.stream(HELLO, (), tool_choice="auto")) as deltas:
        assert (await anext(deltas)).text == "a long story"
    async with asyncio.timeout(5):
        await server.client_left.wait()
    await settled()
    left = asyncio.all_tasks() - before
    assert not {task for task in left if "RequestHandler" not in repr(task.get_coro())}


async def test_a_cancelled_turn_takes_the_connection_along(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(is_silent(server))
    asking = asyncio.create_task(ask(backend))
    async with asyncio.timeout(5):
        await server.hanging.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.client_left.wait()


async def test_one_connection_serves_one_answer_after_another(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(*[writes(delta(content="hi"), delta("stop"), DONE, end="late")] * 4)
    for _ in range(4):
        await ask(backend)
    assert len(server.connections) == 1


async def test_warming_up_sends_nothing(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    await backend.warm_up()
    assert server.asked == []


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (["test-model", "other"], "reachable; it has test-model"),
        (["test-model:latest"], "reachable; it has test-model"),
        (["other"], "reachable; test-model is not among its 1 models"),
        (404, "reachable; it does not list its models"),
    ],
)
async def test_a_probe_tells_what_is_there(
    server: ModelServer,
    backend: ChatCompletionsBackend,
    models: list[str] | int,
    expected: str,
) -> None:
    server.models = models
    assert await backend.probe() == expected


@pytest.mark.parametrize(("status", "expected"), [(401, ModelRefusedError), (500, ModelError)])
async def test_a_probe_of_an_unusable_server_fails(
    server: ModelServer,
    backend: ChatCompletionsBackend,
    status: int,
    expected: type[ModelError],
) -> None:
    server.models = status
    with pytest.raises(expected):
        await backend.probe()
