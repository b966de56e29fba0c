import json
from collections.abc import AsyncIterator
from datetime import date

import openai
import pytest

from lycatra_appservice.demo.offline_model import OFFLINE_MODEL, OfflineModel
from lycatra_appservice.model import JSON

WHO = "rule-based stand-in, not a language model"


def tool(name: str, description: str, **properties: JSON) -> JSON:
    parameters = {"type": "object", "properties": properties}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


TOOLS = [
    tool(
        "list_updates",
        "Recent changes: releases, deployments and commits, newest first.",
        days={"type": "integer", "maximum": 90},
        service={"anyOf": [{"type": "string"}, {"type": "null"}]},
        limit={"type": "integer"},
        query={"type": "string"},
    ),
    tool("get_service_status", "Whether each service is up.", service={"type": "string"}),
    tool("find_recipe", "Finds something to cook.", diet={"enum": ["vegan", "any"]}),
    tool("show_release", "One release.", since={"type": "string", "format": "date"}),
]


@pytest.fixture
async def client() -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        OfflineModel(today=lambda: date(2026, 11, 22)) as model,
        openai.AsyncOpenAI(base_url=model.base_url, api_key="any", max_retries=0) as opened,
    ):
        yield opened


def request(*messages: JSON, tools: JSON = TOOLS) -> JSON:
    return {"model": OFFLINE_MODEL, "messages": list(messages), "tools": tools}


def asked(question: str) -> JSON:
    return {"role": "user", "content": question}


def called(name: str, result: JSON, **arguments: JSON) -> tuple[JSON, JSON]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": "call_1", "type": "function", "function": function}
    text = result if isinstance(result, str) else json.dumps(result)
    return (
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": text},
    )


async def said(client: openai.AsyncOpenAI, *messages: JSON, tools: JSON = TOOLS) -> str:
    answer = await client.chat.completions.create(**request(*messages, tools=tools))
    assert answer.choices[0].finish_reason == "stop"
    return answer.choices[0].message.content or ""


async def call_of(
    client: openai.AsyncOpenAI, *messages: JSON, offered: JSON = TOOLS, **more: JSON
) -> tuple[str, JSON]:
    asked_for = request(*messages, tools=offered)
    answer = await client.chat.completions.create(**asked_for, **more)
    assert answer.choices[0].finish_reason == "tool_calls"
    [call] = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    return call.function.name, json.loads(call.function.arguments)


@pytest.mark.parametrize(
    ("question", "name", "arguments"),
    [
        ("What updates were deployed this week?", "list_updates", {"days": 7}),
        ("@alice:hs.test: anything new?", "list_updates", {}),
        ("What changed in the last two weeks?", "list_updates", {"days": 14}),
        ("what was deployed this year", "list_updates", {"days": 90}),
        ("Show me the last 3 updates", "list_updates", {"limit": 3}),
        ("Is everything up and running?", "get_service_status", {}),
        ("Is postgres healthy?", "get_service_status", {"service": "postgres"}),
        ("Which updates mention 'checkout'?", "list_updates", {"query": "checkout"}),
        ("What changed in the shop service?", "list_updates", {"service": "shop"}),
        ("find a vegan recipe", "find_recipe", {"diet": "vegan"}),
        ("show me the release since yesterday", "show_release", {"since": "2026-11-21"}),
    ],
)
async def test_a_question_calls_the_tool_it_is_about_with_what_it_names(
    client: openai.AsyncOpenAI, question: str, name: str, arguments: JSON
) -> None:
    assert await call_of(client, asked(question)) == (name, arguments)


@pytest.mark.parametrize(
    "question",
    ["please restart the service web", "Restart web!", "can you restart the web service?"],
)
async def test_a_change_that_is_asked_for_in_words_calls_what_changes_it(
    client: openai.AsyncOpenAI, question: str
) -> None:
    described = "Restarts one service, after somebody has approved it."
    restart = tool("restart_service", described, service={"type": "string"})
    restart["function"]["parameters"]["required"] = ["service"]

    found = await client.chat.completions.create(
        **request(asked(question), tools=[*TOOLS, restart])
    )

    [call] = found.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "restart_service",
        {"service": "web"},
    )


async def test_only_the_last_question_counts(client: openai.AsyncOpenAI) -> None:
    history = (asked("what is new?"), *called("list_updates", []), {"role": "assistant"})

    assert (await call_of(client, *history, asked("is all up?")))[0] == "get_service_status"


@pytest.mark.parametrize(
    "question", ["Tell me a joke", "Hi!", "ok", "Okay.", "", "What is the weather today?"]
)
async def test_a_question_that_fits_no_tool_reads_what_answers_and_what_it_can_do(
    client: openai.AsyncOpenAI, question: str
) -> None:
    text = await said(client, asked(question))

    assert WHO in text
    assert "`list_updates`" in text


async def test_without_tools_it_says_that_it_cannot_help(client: openai.AsyncOpenAI) -> None:
    assert "no tools" in await said(client, asked("what is new?"), tools=[])


async def test_updates_are_told_with_version_date_and_changes(client: openai.AsyncOpenAI) -> None:
    found = {
        "updates": [
            {"service": "shop", "version": "2.3", "date": "2026-11-20", "changes": ["A.", "B"]},
            {"title": "Wiki moved", "date": "2026-11-19", "summary": "It has a new address."},
        ],
        "note": "12 older ones left out.",
    }
    text = await said(client, asked("new?"), *called("list_updates", {"data": found}, days=7))

    assert "There are 2 entries for updates (days 7):" in text
    assert "- **shop 2.3** (20 November 2026): A; B." in text
    assert "- **Wiki moved** (19 November 2026): It has a new address." in text
    assert "not by a language model" in text


async def test_a_status_names_what_is_not_fine_first(client: openai.AsyncOpenAI) -> None:
    found = [
        {"name": "shop", "ok": True, "detail": "12 ms"},
        {"name": "wiki", "ok": False, "detail": "refused the connection"},
    ]
    text = await said(client, asked("all up?"), *called("get_service_status", found))

    assert text.startswith("1 of 2 are fine; **wiki** is not:")
    assert text.index("refused the connection") < text.index("12 ms")


async def test_facts_are_found_inside_a_wrapping_and_notes_are_told(
    client: openai.AsyncOpenAI,
) -> None:
    facts = {
        "data": {"services": [], "lycatra": [{"name": "database", "ok": True, "detail": "1 ms"}]},
        "note": "no services are configured",
    }
    wrapped = f'<tool_result tool="x">\n{json.dumps(facts)}\n</tool_result>'
    text = await said(client, asked("all up?"), *called("get_service_status", wrapped))

    assert text.startswith("**database** is fine: 1 ms.\n\nNo services are configured.")


@pytest.mark.parametrize("found", [[], {"updates": [], "sources": ["a", "b"]}])
async def test_nothing_found_is_said(client: openai.AsyncOpenAI, found: JSON) -> None:
    text = await said(client, asked("new?"), *called("list_updates", found, days=7))

    assert text.startswith("I looked, and there is nothing for updates (days 7).")


async def test_a_result_that_is_not_json_is_shown_as_it_is(client: openai.AsyncOpenAI) -> None:
    assert (await said(client, asked("?"), *called("help", "Ask **me**."))).startswith(
        "Ask **me**."
    )


async def test_a_call_with_a_wrong_name_is_tried_once_without_it(
    client: openai.AsyncOpenAI,
) -> None:
    refusal: JSON = {"error": "There is no service 'x'."}
    first = (asked("is x up?"), *called("get_service_status", refusal, service="x"))

    assert await call_of(client, *first) == ("get_service_status", {})
    text = await said(client, *first, *called("get_service_status", refusal))
    assert text.startswith("I could not find out: There is no service 'x'.")


async def test_a_streamed_call_and_a_streamed_answer_are_whole(client: openai.AsyncOpenAI) -> None:
    question = asked("What updates were deployed this week?")
    arguments, names = "", []
    async for chunk in await client.chat.completions.create(**request(question), stream=True):
        for delta in chunk.choices[0].delta.tool_calls or []:
            assert delta.function is not None
            names += [delta.function.name] if delta.function.name else []
            arguments += delta.function.arguments or ""
    assert (names, json.loads(arguments)) == (["list_updates"], {"days": 7})

    messages = (question, *called("list_updates", [{"version": "2.3", "title": "Users"}], days=7))
    streamed = ""
    tokens = 0
    async for chunk in await client.chat.completions.create(
        **request(*messages), stream=True, stream_options={"include_usage": True}
    ):
        streamed += "".join(choice.delta.content or "" for choice in chunk.choices)
        tokens = chunk.usage.prompt_tokens if chunk.usage else tokens
    assert streamed == await said(client, *messages)
    assert tokens > 0


async def test_the_same_request_gets_the_same_answer(client: openai.AsyncOpenAI) -> None:
    first = await client.chat.completions.create(**request(asked("what is new?")))

    assert await client.chat.completions.create(**request(asked("what is new?"))) == first


async def test_its_model_is_listed_and_another_one_is_refused(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == [OFFLINE_MODEL]
    with pytest.raises(openai.NotFoundError, match=OFFLINE_MODEL):
        await client.chat.completions.create(model="other", messages=[])


async def test_a_forced_or_forbidden_tool_is_respected(client: openai.AsyncOpenAI) -> None:
    forced = {"type": "function", "function": {"name": "find_recipe"}}
    assert await call_of(client, asked("hm"), tool_choice=forced) == ("find_recipe", {})

    answer = await client.chat.completions.create(
        **request(asked("what is new?")), tool_choice="none"
    )
    assert WHO in (answer.choices[0].message.content or "")


@pytest.mark.parametrize("messages", ["x", [7], [{"role": "user", "content": 7}]])
async def test_a_malformed_request_is_refused_or_answered_but_never_breaks_it(
    client: openai.AsyncOpenAI, messages: JSON
) -> None:
    body = {"model": OFFLINE_MODEL, "messages": messages, "tools": [{"function": 7}, "x"]}
    try:
        answer = await client.post("/chat/completions", body=body, cast_to=dict[str, JSON])
    except openai.BadRequestError:
        return
    assert answer["choices"]


CHOOSER = tool(
    "choose_namespaces", "Says which namespaces may be needed.", names={"type": "array"}
)
GROUPS = """Choose groups of tools.

- assistant: What you can do here, and how to ask for it.
- forge: Repositories, issues and pull requests.
- services: Whether the services are up.
- updates: What was released, changed and deployed."""


@pytest.mark.parametrize(
    ("question", "chosen"),
    [
        ("What changed this week?", ["updates"]),
        ("Is the wiki up?", ["services"]),
        ("What can you do?", ["assistant"]),
        ("Hello!", []),
    ],
)
async def test_where_only_choosing_is_offered_it_chooses(
    client: openai.AsyncOpenAI, question: str, chosen: list[str]
) -> None:
    rules = {"role": "system", "content": GROUPS}
    call = await call_of(client, rules, asked(question), offered=[CHOOSER])
    assert call == ("choose_namespaces", {"names": chosen})


async def test_beside_tools_it_does_not_choose(client: openai.AsyncOpenAI) -> None:
    name, _ = await call_of(client, asked("What changed?"), offered=[CHOOSER, *TOOLS])
    assert name == "list_updates"
