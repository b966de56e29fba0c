import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.demo.offline_model import OFFLINE_MODEL, OfflineModel
from lycatra_appservice.model import Level
from lycatra_appservice.settings import Model
from lycatra_appservice.toolkit.discovery import discover
from tests.support.model_server import Asked, ModelServer, model_server
from tests.transcripts.judging import differences
from tests.transcripts.playing import play, result_text
from tests.transcripts.scripted import script
from tests.transcripts.transcript import Call, Transcript, shipped

FEWEST = 60
EVERY = [pytest.param(each, id=each.name) for each in shipped()]
ANSWERED_OFFLINE = [pytest.param(e, id=e.name) for e in shipped() if e.offline is None]
NOT_ANSWERED_OFFLINE = [pytest.param(e, id=e.name) for e in shipped() if e.offline is not None]
# What a transcript must exist for; see docs/QUALITY.md.
KINDS = [
    "about itself",
    "approval",
    "asks back",
    "follow-up",
    "german",
    "injection",
    "no tool",
    "not known",
    "nothing found",
    "one virtual user",
    "parallel",
    "ready-made",
    "refusal",
    "repair",
    "several steps",
    "time",
    "tool error",
]


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


@pytest.mark.parametrize("transcript", EVERY)
async def test_a_model_that_follows_is_given_all_it_needs_and_its_answer_is_right(
    transcript: Transcript, server: ModelServer
) -> None:
    script(server, transcript)
    backend = ChatCompletionsBackend(Model(base_url=server.base_url, model="scripted"))
    try:
        async with asyncio.timeout(20):
            played = await play(transcript, backend)
    finally:
        await backend.aclose()

    assert differences(transcript, played) == []
    assert played.requests == len(transcript.rounds()) + 1 == len(server.asked)
    _check_offered(transcript, server.asked)
    _check_results(transcript, server.asked)
    _check_approvals(transcript, played.asked_people)


@pytest.mark.parametrize("transcript", ANSWERED_OFFLINE)
async def test_the_model_of_the_demo_answers_what_it_is_not_excused_from(
    transcript: Transcript,
) -> None:
    assert await _differences_offline(transcript) == []


@pytest.mark.parametrize("transcript", NOT_ANSWERED_OFFLINE)
async def test_the_model_of_the_demo_is_excused_only_from_what_it_cannot_answer(
    transcript: Transcript,
) -> None:
    assert await _differences_offline(transcript), "it can: take its `offline` out"


def test_there_are_enough_of_every_kind() -> None:
    kinds = Counter(kind for each in shipped() for kind in each.about)
    missing = [kind for kind in KINDS if kinds[kind] < 2]
    assert missing == []
    assert len(shipped()) >= FEWEST


@pytest.mark.parametrize("tool", [tool.name for tool in discover().tools])
def test_every_shipped_tool_is_asked_for(tool: str) -> None:
    asking = [each for each in shipped() if any(call.call == tool for call in each.calls)]
    assert len(asking) >= 3


@pytest.mark.parametrize("prompt", [prompt.name for prompt in discover().prompts])
def test_every_shipped_ready_made_question_is_asked(prompt: str) -> None:
    assert any(each.ready is not None and each.ready.name == prompt for each in shipped())


def _check_offered(transcript: Transcript, asked: Sequence[Asked]) -> None:
    registry = discover()
    tools = registry.tools_of(transcript.only) if transcript.only else registry.tools
    may = [tool for tool in tools if tool.level <= Level[transcript.person.upper()]]
    offered = [tool["function"]["name"] for tool in asked[0].body.get("tools", ())]
    assert offered == [tool.name for tool in may]
    assert len({json.dumps(each.body.get("tools")) for each in asked}) == 1


def _check_results(transcript: Transcript, asked: Sequence[Asked]) -> None:
    for number, together in enumerate(transcript.rounds(), start=1):
        read = [each["content"] for each in asked[number].messages if each["role"] == "tool"]
        for call, text in zip(together, read[-len(together) :], strict=True):
            assert [piece for piece in call.reads if piece not in text] == []
            if _gives_a_result(call):
                assert text == result_text(call)


def _gives_a_result(call: Call) -> bool:
    return call.result is not None and call.people == "approve" and not call.slow


def _check_approvals(transcript: Transcript, asked_people: Sequence[str]) -> None:
    changing = {tool.name for tool in discover().tools if tool.changes}
    wanted = [
        call.call
        for call in transcript.calls
        if call.call in changing and not call.slip and transcript.person == "operator"
    ]
    assert list(asked_people) == wanted


async def _differences_offline(transcript: Transcript) -> Sequence[str]:
    today = transcript.now.astimezone(transcript.zone).date()
    async with OfflineModel(today=lambda: today) as model:
        backend = ChatCompletionsBackend(Model(base_url=model.base_url, model=OFFLINE_MODEL))
        try:
            async with asyncio.timeout(20):
                return differences(transcript, await play(transcript, backend))
        finally:
            await backend.aclose()
