"""The demo's questions, asked of a model with a small window and far too many tools."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence

import pytest

from lycatra_appservice.agent.asking import Window
from lycatra_appservice.agent.backend import Backend, ToolChoice, ToolSpec
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.messages import Delta, Message, SystemMessage
from lycatra_appservice.agent.wire import tools_on_wire
from lycatra_appservice.demo.offline_model import OFFLINE_MODEL, OfflineModel
from lycatra_appservice.settings import Model
from tests.support.sixty_tools import beside_sixty, sixty_tools
from tests.transcripts.judging import differences
from tests.transcripts.playing import play
from tests.transcripts.stand_ins import as_shipped
from tests.transcripts.transcript import Transcript, shipped

SMALL = Window(context_tokens=4096)
USUAL = Window(context_tokens=8192)  # of a model for a graphics card at home
CHARS_A_TOKEN = 3.5
ANSWERED_OFFLINE = [pytest.param(e, id=e.name) for e in shipped() if e.offline is None]


class Scales:
    """A backend whose every request is weighed, in tokens."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.fixed: list[float] = []  # prompt and tools
        self.whole: list[float] = []
        self.offered: list[list[str]] = []

    @property
    def name(self) -> str:
        return self._backend.name

    def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], *, tool_choice: ToolChoice
    ) -> AsyncGenerator[Delta, None]:
        rules = [each.text for each in messages if isinstance(each, SystemMessage)]
        sent = json.dumps(tools_on_wire(tools, strict=False))
        texts = "".join(each.text for each in messages)
        self.fixed.append(len("".join(rules) + sent) / CHARS_A_TOKEN)
        self.whole.append(len(texts + sent) / CHARS_A_TOKEN)
        self.offered.append([tool.name for tool in tools])
        return self._backend.stream(messages, tools, tool_choice=tool_choice)

    async def probe(self) -> str:
        return await self._backend.probe()

    async def aclose(self) -> None:
        await self._backend.aclose()


@pytest.mark.parametrize("transcript", ANSWERED_OFFLINE)
async def test_sixty_more_tools_at_a_small_window_change_no_answer(transcript: Transcript) -> None:
    today = transcript.now.astimezone(transcript.zone).date()
    async with OfflineModel(today=lambda: today) as model:
        settings = Model(base_url=model.base_url, model=OFFLINE_MODEL)
        scales = Scales(ChatCompletionsBackend(settings))
        try:
            async with asyncio.timeout(20):
                played = await play(transcript, scales, SMALL, beside_sixty)
        finally:
            await scales.aclose()

    assert differences(transcript, played) == []
    assert max(scales.fixed) <= 0.3 * SMALL.context_tokens
    assert max(scales.whole) <= 0.75 * SMALL.context_tokens
    if transcript.only is None:
        assert scales.offered[0] == ["choose_namespaces"]


@pytest.mark.parametrize("transcript", ANSWERED_OFFLINE[:5])
async def test_nothing_is_chosen_where_the_shipped_tools_fit(transcript: Transcript) -> None:
    async with OfflineModel() as model:
        settings = Model(base_url=model.base_url, model=OFFLINE_MODEL)
        scales = Scales(ChatCompletionsBackend(settings))
        try:
            async with asyncio.timeout(20):
                await play(transcript, scales, USUAL, as_shipped)
        finally:
            await scales.aclose()

    assert not any("choose_namespaces" in each for each in scales.offered)
    assert max(scales.fixed) <= 0.3 * USUAL.context_tokens


def test_the_sixty_are_far_too_many() -> None:
    sent = [{"name": each.name, "parameters": dict(each.schema())} for each in sixty_tools()]
    assert len(sent) == 60
    assert len(json.dumps(sent)) / CHARS_A_TOKEN > 2 * SMALL.context_tokens
