"""Asks the model once more and again where that may help, and keeps the question within bounds."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
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
from lycatra_appservice.agent.silent_cut import CutWatch, SilentCut
from lycatra_appservice.agent.trimming import CHARS_PER_TOKEN, chars_of, chars_of_tools, fitted

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


class Asker:
    """Asks one model on behalf of one turn."""

    def __init__(
        self,
        backend: Backend,
        window: Window,
        tools: Sequence[ToolSpec],
        delay: Delay,
        watch: CutWatch,
    ) -> None:
        self._backend = backend
        self._tools = tools
        self._delay = delay
        self._watch = watch
        self._budget_chars = window.budget_chars(tools)
        self.forgot = False  # whether whole turns had to be left out
        self.silent_cut: SilentCut | None = None  # of the last answer, which is then not to trust

    async def ask(self, messages: Sequence[Message], tool_choice: ToolChoice) -> ModelAnswer:
        """One answer to these messages, of which old ones are left out if there are too many.

        A lost connection in the middle of a text gives what had come. Raises ModelError.
        """
        try:
            return await self._ask_fitted(messages, tool_choice)
        except ContextOverflowError:
            self._budget_chars = min(self._budget_chars, chars_of(messages)) // 2
            logger.warning("model_context_overflow", extra={"model": self._backend.name})
            return await self._ask_fitted(messages, tool_choice)

    async def _ask_fitted(
        self, messages: Sequence[Message], tool_choice: ToolChoice
    ) -> ModelAnswer:
        fit = fitted(messages, self._budget_chars)
        self.forgot = self.forgot or fit.forgot
        answer = await self._ask_again(fit.messages, tool_choice)
        self._look_for_silent_cut(fit.messages, answer)
        return answer

    async def _ask_again(
        self, messages: Sequence[Message], tool_choice: ToolChoice
    ) -> ModelAnswer:
        for backoff in _BACKOFF:
            try:
                return await self._ask_once(messages, tool_choice)
            except (ModelUnreachableError, ModelBusyError) as failed:
                wait = _wait(failed, backoff)
                if wait > LONGEST_WAIT:
                    raise
                extra = {"model": self._backend.name, "seconds": wait.total_seconds()}
                logger.info("model_asked_again", extra=extra)
                await self._delay(wait.total_seconds())
        return await self._ask_once(messages, tool_choice)

    async def _ask_once(self, messages: Sequence[Message], tool_choice: ToolChoice) -> ModelAnswer:
        answer: ModelAnswer | None = None
        deltas = self._backend.stream(messages, self._tools, tool_choice=tool_choice)
        try:
            async with aclosing(deltas):
                async for delta in deltas:
                    answer = delta.answer or answer
        except ModelCutError as cut:
            if not cut.partial:
                raise
            return ModelAnswer(text=cut.partial, finish=CONNECTION_LOST, truncated=True)
        if answer is None:
            raise ModelUnreachableError("the backend ended without an answer")
        return answer

    def _look_for_silent_cut(self, messages: Sequence[Message], answer: ModelAnswer) -> None:
        estimate = (chars_of(messages) + chars_of_tools(self._tools)) / CHARS_PER_TOKEN
        self.silent_cut = self._watch.look(estimate, answer.usage)


def _wait(failed: ModelUnreachableError | ModelBusyError, backoff: timedelta) -> timedelta:
    if isinstance(failed, ModelBusyError) and failed.retry_after is not None:
        return failed.retry_after
    return backoff
