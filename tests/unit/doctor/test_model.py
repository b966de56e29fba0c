"""What is said about a model, from a server that answers as scripted."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from pydantic import SecretStr

from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.doctor.findings import Finding, Level
from lycatra_appservice.doctor.model import check_model
from lycatra_appservice.settings import Model
from tests.support.model_server import ModelServer, calls, model_server, refuses, says

CALL = calls(("get_version", '{"service": "shop"}'))


async def examined(server: ModelServer, **more: object) -> dict[str, Finding]:
    settings = Model.model_validate({"base_url": server.base_url, "model": "test-model", **more})
    backend = ChatCompletionsBackend(settings)
    try:
        findings: Sequence[Finding] = await check_model(settings, backend)
    finally:
        await backend.aclose()
    return {finding.check: finding for finding in findings}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_that_speaks_and_calls_tools_is_well(stream: bool) -> None:
    async with model_server() as server:
        server.will(says("rea", "dy"), CALL)
        findings = await examined(server, stream=stream)
    assert {finding.level for finding in findings.values()} == {Level.OK}
    assert list(findings) == ["model.reachable", "model.answer", "model.tool_call"]


async def test_a_model_that_answers_from_memory_is_a_warning() -> None:
    async with model_server() as server:
        server.will(says("ready"), says("It runs version 3."))
        finding = (await examined(server))["model.tool_call"]
    assert finding.level is Level.WARNING
    assert "invent" in str(finding.why)


async def test_a_model_that_says_nothing_is_an_error() -> None:
    async with model_server() as server:
        server.will(says(""), CALL)
        findings = await examined(server)
    assert findings["model.answer"].level is Level.ERROR


async def test_a_slow_first_word_is_a_warning_with_the_setting() -> None:
    async with model_server() as server:
        server.will(says("ready"), CALL)
        settings = Model(base_url=server.base_url, model="test-model")
        hasty = settings.model_copy(update={"first_token_timeout": timedelta(0)})
        backend = ChatCompletionsBackend(settings)
        slow = {each.check: each for each in await check_model(hasty, backend)}
        await backend.aclose()
    assert "model.first_token_timeout" in str(slow["model.answer"].fix)


async def test_a_server_that_refuses_is_told_without_the_key() -> None:
    async with model_server() as server:
        wrong = {"message": "wrong key hidden-word-1234"}
        server.will(refuses(401, wrong), refuses(401, wrong))
        findings = await examined(server, api_key=SecretStr("hidden-word-1234"))
    assert findings["model.answer"].level is Level.ERROR
    assert "hidden-word-1234" not in str(findings)


async def test_a_server_that_is_not_there_is_asked_nothing_more() -> None:
    settings = Model(base_url="http://127.0.0.1:9/v1", model="m")
    backend = ChatCompletionsBackend(settings)
    [finding] = await check_model(settings, backend)
    await backend.aclose()
    assert (finding.check, finding.level) == ("model.reachable", Level.ERROR)


async def test_no_model_is_a_warning() -> None:
    [finding] = await check_model(None, None)
    assert finding.level is Level.WARNING
