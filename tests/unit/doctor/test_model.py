"""What is said about a model, from a server that answers as scripted."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from pydantic import SecretStr

from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.doctor.findings import Finding, Level
from lycatra_appservice.doctor.model import ModelCheck, no_model
from lycatra_appservice.settings import Model
from tests.support.model_server import ModelServer, Reply, calls, model_server, refuses, says

CALL = calls(("get_version", '{"service": "shop"}'))
WELL = says("Pelican.")


async def examined(server: ModelServer, **more: object) -> dict[str, Finding]:
    settings = Model.model_validate({"base_url": server.base_url, "model": "test-model", **more})
    backend = ChatCompletionsBackend(settings)
    try:
        findings: Sequence[Finding] = await ModelCheck("model", settings, backend).run()
    finally:
        await backend.aclose()
    return {finding.check: finding for finding in findings}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_that_speaks_and_calls_tools_is_well(stream: bool) -> None:
    async with model_server() as server:
        server.will(says("rea", "dy"), CALL, WELL)
        findings = await examined(server, stream=stream)
    assert {finding.level for finding in findings.values()} == {Level.OK}
    assert list(findings) == [
        "model.reachable",
        "model.answer",
        "model.tool_call",
        "model.window",
    ]


async def test_a_model_that_answers_from_memory_is_a_warning() -> None:
    async with model_server() as server:
        server.will(says("ready"), says("It runs version 3."), WELL)
        finding = (await examined(server))["model.tool_call"]
    assert finding.level is Level.WARNING
    assert "invent" in str(finding.why)


async def test_a_model_that_says_nothing_is_an_error() -> None:
    async with model_server() as server:
        server.will(says(""), CALL, WELL)
        findings = await examined(server)
    assert findings["model.answer"].level is Level.ERROR


async def test_a_slow_first_word_is_a_warning_with_the_setting() -> None:
    async with model_server() as server:
        server.will(says("ready"), CALL, WELL)
        settings = Model(base_url=server.base_url, model="test-model")
        hasty = settings.model_copy(update={"first_token_timeout": timedelta(0)})
        backend = ChatCompletionsBackend(settings)
        slow = {each.check: each for each in await ModelCheck("model", hasty, backend).run()}
        await backend.aclose()
    assert "model.first_token_timeout" in str(slow["model.answer"].fix)


async def test_a_server_that_refuses_is_told_without_the_key() -> None:
    async with model_server() as server:
        wrong = {"message": "wrong key hidden-word-1234"}
        server.will(*[refuses(401, wrong)] * 3)
        findings = await examined(server, api_key=SecretStr("hidden-word-1234"))
    assert findings["model.answer"].level is Level.ERROR
    assert "hidden-word-1234" not in str(findings)


async def test_a_server_that_is_not_there_is_asked_nothing_more() -> None:
    settings = Model(base_url="http://127.0.0.1:9/v1", model="m")
    backend = ChatCompletionsBackend(settings)
    [finding] = await ModelCheck("model", settings, backend).run()
    await backend.aclose()
    assert (finding.check, finding.level) == ("model.reachable", Level.ERROR)


def test_no_model_is_a_warning() -> None:
    assert no_model().level is Level.WARNING


@pytest.mark.parametrize(
    ("reply", "level", "words"),
    [
        (says("Pelican.", prompt_tokens=5600), Level.OK, "read all"),
        (says("Pelican."), Level.OK, "read all"),
        (says("Which word?", prompt_tokens=5600), Level.OK, "counts 5600"),
        (says("Which word?", prompt_tokens=2048), Level.WARNING, "read 2048"),
        (says("Which word?", prompt_tokens=4095), Level.WARNING, "read 4095"),
        (says("Which word?"), Level.WARNING, "cannot be seen"),
        (
            refuses(400, {"type": "exceed_context_size_error", "message": "x", "n_ctx": 4096}),
            Level.WARNING,
            "take",
        ),
        (refuses(400, {"message": "x", "code": "context_length_exceeded"}), Level.WARNING, "take"),
        (refuses(500, {"message": "oops"}), Level.ERROR, "does not do it"),
    ],
)
async def test_the_window_is_measured_and_a_silent_cut_has_its_line_to_change(
    reply: Reply, level: Level, words: str
) -> None:
    async with model_server() as server:
        server.will(says("ready"), CALL, reply)
        finding = (await examined(server))["model.window"]
    assert finding.level is level
    assert words in finding.what
    if "read 4095" in words:
        assert "model.context_window: 4096" in str(finding.fix)
    if "2048" in words:
        assert "model.context_window: 2048" in str(finding.fix)
        assert "OLLAMA_CONTEXT_LENGTH" in str(finding.fix)


async def test_an_address_without_a_path_gets_the_usual_one_as_a_hint() -> None:
    settings = Model(base_url="http://127.0.0.1:9", model="m")
    backend = ChatCompletionsBackend(settings)
    [finding] = await ModelCheck("models.home", settings, backend).run()
    await backend.aclose()
    assert finding.check == "models.home.reachable"
    assert "models.home.base_url (mostly http://127.0.0.1:9/v1)" in str(finding.fix)
