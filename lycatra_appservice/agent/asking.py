"""Asks the model once more and again where that may help, and keeps the question within bounds."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import TypeAlias

from lycatra_appservice.agent.attached import images_of, without_images
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
from lycatra_appservice.agent.lengths import CHARS_PER_TOKEN
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ModelAnswer,
    SmallerWindow,
    ToolMessage,
    Usage,
)
from lycatra_appservice.agent.ports import HearerPort, SlotsPort
from lycatra_appservice.agent.silent_cut import (
    Counted,
    CutWatch,
    SilentCut,
    TrimmedInVainError,
)
from lycatra_appservice.agent.specs import chars_of_tools
from lycatra_appservice.agent.trimming import Fitted, chars_of, fitted
from lycatra_appservice.agent.watching import UNWATCHED, AgentWatch
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

    @property
    def chars(self) -> float:
        """The same in characters, about."""
        return self.context_tokens * CHARS_PER_TOKEN

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
    watch: AgentWatch = UNWATCHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """All that a model is given for one answer. Only an answer to the person is said `aloud`."""

    messages: Sequence[Message]
    tools: Sequence[ToolSpec]
    tool_choice: ToolChoice = "auto"
    aloud: bool = True

    @property
    def tokens(self) -> float:
        """How many they are, about."""
        return (chars_of(self.messages) + chars_of_tools(self.tools)) / CHARS_PER_TOKEN


# Makes the prompt for a model with this window: what fits differs from model to model, and a
# window may turn out to be smaller than it was thought to be.
Plan: TypeAlias = Callable[[Window], Prompt]


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
        self._configured = window
        self._watch = watch
        self._slots = slots
        self._behalf = behalf
        self._was_asked = False
        self._share = 1.0  # of the window's budget, which may turn out to be smaller
        self._before: tuple[Prompt, Counted] | None = None  # the last prompt as it was sent
        self._shows_pictures = True  # until they are what does not fit

    @property
    def window(self) -> Window:
        """What the model can hold, as far as that is known by now."""
        tokens = self._watch.bounded(self._configured.context_tokens)
        return replace(self._configured, context_tokens=tokens)

    async def ask(self, plan: Plan) -> ModelAnswer:
        """One answer to a prompt, of which old messages are left out if there are too many.

        Pictures are left out where nothing else can be: what one costs differs widely.
        A lost connection in the middle of a text gives what had come. Raises ModelError.
        """
        prompt = plan(self.window)
        try:
            return await self._ask_whole(prompt, plan)
        except TrimmedInVainError:
            raise
        except ContextOverflowError as overflow:
            logger.warning("model_context_overflow", extra={"model": self._backend.name})
            sent = chars_of(self._fit(prompt).messages)
            smaller = self._make_room(prompt, overflow)
            again = plan(self.window)
            if chars_of(self._fit(again).messages) >= sent:
                self._shows_pictures = False
            answer = await self._ask_whole(again, plan)
            return replace(answer, smaller=answer.smaller or smaller)

    def _make_room(self, prompt: Prompt, overflow: ContextOverflowError) -> SmallerWindow | None:
        """Send less from now on: what the server says it takes, or half of what it did not."""
        smaller = None
        if overflow.window is not None:
            configured = self._configured.context_tokens
            smaller = self._watch.learn_announced(overflow.window, configured)
        held = chars_of(prompt.messages) / self.window.budget_chars(prompt.tools)
        if smaller is None or held <= self._share:
            self._share = min(self._share, held) / 2
        return smaller

    async def _ask_whole(self, prompt: Prompt, plan: Plan) -> ModelAnswer:
        """An answer to all of a prompt: one to what a server has left of it is thrown away."""
        answer, cut = await self._ask_fitted(prompt)
        if cut is None:
            return replace(answer, smaller=self._watch.untold())
        smaller = self._watch.learn(cut, self._configured.context_tokens)
        if smaller is None:  # not to be believed, or known
            self._watch.refuse_what_cannot_fit(cut, self._configured.context_tokens)
            return answer
        again, cut = await self._ask_fitted(plan(self.window))
        if cut is not None:
            self._watch.refuse_what_cannot_fit(cut, self._configured.context_tokens, smaller)
            self._watch.disbelieve(cut)
        paid = _sum(answer.usage, again.usage)
        return replace(again, usage=paid, smaller=None if cut else smaller)

    async def _ask_fitted(self, prompt: Prompt) -> tuple[ModelAnswer, SilentCut | None]:
        fit = self._fit(prompt)
        if fit.forgot or chars_of(fit.messages) < chars_of(prompt.messages):
            self._behalf.watch.observer.prompt_trimmed("turns" if fit.forgot else "results")
        asked = replace(prompt, messages=fit.messages)
        if not self._shows_pictures:
            asked = replace(asked, messages=without_images(asked.messages))
        answer = await self._ask_again(asked)
        if answer.blind:  # the server was not sent what we had counted
            asked = replace(asked, messages=without_images(asked.messages))
        if not self._shows_pictures and images_of(prompt.messages):
            answer = replace(answer, blind=True)
        cut = self._watch.look(asked.tokens, answer.usage, self._counted_before(asked))
        if answer.usage is None:
            return replace(answer, forgot=fit.forgot, usage=_estimated(asked, answer)), cut
        counted = Counted(estimated=asked.tokens, counted=answer.usage.prompt)
        self._before = (asked, counted)
        return replace(answer, forgot=fit.forgot), cut

    def _fit(self, prompt: Prompt) -> Fitted:
        budget = self._share * self.window.budget_chars(prompt.tools)
        return fitted(prompt.messages, int(budget))

    def _counted_before(self, prompt: Prompt) -> Counted | None:
        """The count of the last prompt, if this one begins with it."""
        if self._before is None:
            return None
        earlier, counted = self._before
        begins = list(prompt.messages[: len(earlier.messages)]) == list(earlier.messages)
        return counted if begins and prompt.tools == earlier.tools else None

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
                    begun = self._was_asked or isinstance(prompt.messages[-1], ToolMessage)
                    slot = self._slots.held(self._behalf.person, hearer, begun=begun)
                    await until_read.enter_async_context(slot)
                    self._was_asked = True
                hearer.asks()
                deltas = self._backend.stream(
                    prompt.messages, prompt.tools, tool_choice=prompt.tool_choice
                )
                async for delta in await until_read.enter_async_context(aclosing(deltas)):
                    answer = delta.answer or answer
                    if delta.anew and prompt.aloud:
                        hearer.asks()
                    if delta.text and prompt.aloud:
                        hearer.wrote(delta.text)
        except ModelCutError as cut:
            if not cut.partial:
                raise
            return ModelAnswer(text=cut.partial, finish=CONNECTION_LOST, truncated=True)
        if answer is None:
            raise ModelUnreachableError("the backend ended without an answer")
        return answer


def _estimated(asked: Prompt, answer: ModelAnswer) -> Usage:
    """What it may have cost, for a server that does not say."""
    said = AssistantMessage(text=answer.text, calls=answer.calls)
    return Usage(
        prompt=ceil(asked.tokens),
        completion=ceil(chars_of([said]) / CHARS_PER_TOKEN),
        estimated=True,
    )


def _wait(failed: ModelUnreachableError | ModelBusyError, backoff: timedelta) -> timedelta:
    if isinstance(failed, ModelBusyError) and failed.retry_after is not None:
        return failed.retry_after
    return backoff


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    """What both cost, as far as it was counted."""
    counted = [each for each in (one, other) if each is not None]
    if not counted:
        return None
    return Usage(
        prompt=sum(each.prompt for each in counted),
        completion=sum(each.completion for each in counted),
        estimated=any(each.estimated for each in counted),
    )
