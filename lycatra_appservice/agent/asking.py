"""Asks the model once more and again where that may help, and keeps the question within bounds."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeAlias

from lycatra_appservice.agent.backend import (
    LONGEST_WAIT,
    Backend,
    ContextOverflowError,
    ModelBusyError,
    ModelCutError,
    ModelUnreachableError,
    ToolChoice,
    ToolSpec,
)
from lycatra_appservice.agent.messages import Message, ModelAnswer
from lycatra_appservice.agent.ports import HearerPort, SlotsPort
from lycatra_appservice.agent.silent_cut import CutWatch, SilentCut
from lycatra_appservice.agent.trimming import CHARS_PER_TOKEN, chars_of, chars_of_tools, fitted
from lycatra_appservice.model import UserID

logger = logging.getLogger(__name__)

Delay: TypeAlias = Callable[[float], Awaitable[None]]  # seconds, as asyncio.sleep takes them

# What stands in `finish` of an answer that a lost connection ended; no server says so.
CONNECTION_LOST = "connection_lost"

_BACKOFF = (timedelta(seconds=0.5), timedelta(seconds=1.5))  # so at most two more attempts
_USABLE = 0.8  # of the window: our counting of tokens is an estimate
_LEAST_BUDGET_CHARS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the model can hold, in tokens."""

    context_tokens: int
    max_output_tokens: int | None = None

    def budget_chars(self, tools: Sequence[ToolSpec]) -> int:
        """Characters left for messages beside the tools and the answer."""
        output = self.max_output_tokens or self.context_tokens // 4
        usable = _USABLE * max(self.context_tokens - output, 0) * CHARS_PER_TOKEN
        return max(int(usable) - chars_of_tools(tools), _LEAST_BUDGET_CHARS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behalf:
    """On whose behalf a model is asked, who hears of it, and how waiting is done."""

    person: UserID
    hearer: HearerPort
    delay: Delay


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """All that a model is given for one answer."""

    messages: Sequence[Message]
    tools: Sequence[ToolSpec]
    tool_choice: ToolChoice = "auto"

    @property
    def tokens(self) -> float:
        """How many they are, about."""
        return (chars_of(self.messages) + chars_of_tools(self.tools)) / CHARS_PER_TOKEN


class Asker:
    """Asks one model on behalf of one turn."""

    def __init__(
        self,
        backend: Backend,
        window: Window,
        watch: CutWatch,
        slots: SlotsPort | None,
        behalf: Behalf,
    ) -> None:
        self._backend = backend
        self._window = window
        self._watch = watch
        self._slots = slots
        self._behalf = behalf
        self._share = 1.0  # of the window's budget, which may turn out to be smaller
        self.forgot = False  # whether whole turns had to be left out
        self.silent_cut: SilentCut | None = None  # of the last answer, which is then not to trust

    async def ask(self, prompt: Prompt) -> ModelAnswer:
        """One answer to this prompt, of which old messages are left out if there are too many.

        A lost connection in the middle of a text gives what had come. Raises ModelError.
        """
        try:
            return await self._ask_fitted(prompt)
        except ContextOverflowError:
            budget = self._window.budget_chars(prompt.tools)
            held = min(self._share, chars_of(prompt.messages) / budget)
            self._share = held / 2
            logger.warning("model_context_overflow", extra={"model": self._backend.name})
            return await self._ask_fitted(prompt)

    async def _ask_fitted(self, prompt: Prompt) -> ModelAnswer:
        budget = int(self._share * self._window.budget_chars(prompt.tools))
        fit = fitted(prompt.messages, budget)
        self.forgot = self.forgot or fit.forgot
        asked = replace(prompt, messages=fit.messages)
        answer = await self._ask_again(asked)
        self.silent_cut = self._watch.look(asked.tokens, answer.usage)
        return answer

    async def _ask_again(self, prompt: Prompt) -> ModelAnswer:
        for backoff in _BACKOFF:
            try:
                return await self._ask_once(prompt)
            except (ModelUnreachableError, ModelBusyError) as failed:
                wait = _wait(failed, backoff)
                if wait > LONGEST_WAIT:
                    raise
                extra = {"model": self._backend.name, "seconds": wait.total_seconds()}
                logger.info("model_asked_again", extra=extra)
                await self._behalf.delay(wait.total_seconds())
        return await self._ask_once(prompt)

    async def _ask_once(self, prompt: Prompt) -> ModelAnswer:
        answer: ModelAnswer | None = None
        hearer = self._behalf.hearer
        try:
            async with AsyncExitStack() as until_read:
                if self._slots is not None:
                    slot = self._slots.held(self._behalf.person, hearer)
                    await until_read.enter_async_context(slot)
                hearer.asks()
                deltas = self._backend.stream(
                    prompt.messages, prompt.tools, tool_choice=prompt.tool_choice
                )
                async for delta in await until_read.enter_async_context(aclosing(deltas)):
                    answer = delta.answer or answer
                    if delta.anew:
                        hearer.asks()
                    if delta.text:
                        hearer.wrote(delta.text)
        except ModelCutError as cut:
            if not cut.partial:
                raise
            return ModelAnswer(text=cut.partial, finish=CONNECTION_LOST, truncated=True)
        if answer is None:
            raise ModelUnreachableError("the backend ended without an answer")
        return answer


def _wait(failed: ModelUnreachableError | ModelBusyError, backoff: timedelta) -> timedelta:
    if isinstance(failed, ModelBusyError) and failed.retry_after is not None:
        return failed.retry_after
    return backoff
