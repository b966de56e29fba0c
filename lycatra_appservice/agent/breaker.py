"""Leaves a model alone that fails, for all conversations of the process, and tries it again."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from lycatra_appservice.agent.backend import (
    LONGEST_WAIT,
    Backend,
    ModelBusyError,
    ModelCutError,
    ModelGoneError,
    ModelRestingError,
    ModelSilentError,
    ModelUnreachableError,
    ToolChoice,
    ToolSpec,
)
from lycatra_appservice.agent.messages import Delta, Message
from lycatra_appservice.errors import ModelError

logger = logging.getLogger(__name__)

FAILURES: Final = 5  # in a row; a question makes up to three requests, so it takes two
_SILENCE: Final = 3  # counts as many: nobody asks again after that, and it took a minute
FIRST_PAUSE: Final = timedelta(seconds=15)  # a model server needs about that to start again
LONGEST_PAUSE: Final = timedelta(minutes=5)
_A_LOOK: Final = timedelta(seconds=1)  # that somebody waits who would be turned away otherwise


class Breaker:
    """How one model has done lately. Closed: asked; open: left alone; then one request tries it.

    The pause doubles each time the try fails. It ends early for a server that was gone and is
    there again; one that is there and fails is left alone all the same.
    """

    def __init__(self, name: str, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._monotonic = monotonic
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._until = -math.inf
        self._trying = False
        self._is_busy = False
        self._was_gone = False
        self.is_open = False
        self.last_error = ""

    @property
    def rest(self) -> timedelta:
        """How long the model is left alone from now on; nothing when it may be asked."""
        if not self.is_open:
            return timedelta(0)
        return timedelta(seconds=max(self._until - self._monotonic(), 0.0))

    def has_opened(self) -> bool:
        """Whether the model is left alone, or is being tried again."""
        return self.is_open

    @property
    def may_return(self) -> bool:
        """Whether it is worth a look if the server is there again."""
        return bool(self.rest) and not self._is_busy and not self._trying

    def looked(self, *, is_there: bool) -> None:
        """Somebody looked, without using the model, whether its server is there."""
        if not self.may_return:
            return
        if is_there and self._was_gone:
            self._until = self._monotonic()
        self._was_gone = not is_there

    def enter(self) -> bool:
        """Begin a request; True for the one that tries an open breaker. Raises ModelRestingError.

        Whoever tries has to `leave`, however the request ends.
        """
        if not self.is_open:
            return False
        if self._trying or self.rest:
            detail = f"{self._name} rests: {self.last_error}"
            raise ModelRestingError(detail, self.rest if self._is_busy else None)
        self._trying = True
        return True

    def leave(self) -> None:
        """The trying request has ended, or was given up by who asked."""
        self._trying = False

    def answered(self) -> None:
        """The server is there and speaks."""
        self._failures = 0
        if self.is_open:
            self.is_open, self._pause = False, FIRST_PAUSE
            logger.warning("model_back", extra={"backend": self._name})

    def failed(self, error: ModelError, *, tried: bool) -> None:
        """The server was away, silent or broke off; `tried`: it had been open."""
        self._failures += _SILENCE if isinstance(error, ModelSilentError) else 1
        if tried:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        if tried or (not self.is_open and self._failures >= FAILURES):
            self._open(self._pause, error)
            self._was_gone = isinstance(error, ModelGoneError) and not tried

    def told_to_wait(self, span: timedelta, error: ModelError) -> None:
        """The server itself says for how long it wants to be left alone."""
        self._open(min(span, LONGEST_PAUSE), error)

    def _open(self, pause: timedelta, error: ModelError) -> None:
        self.is_open = True
        self._is_busy = isinstance(error, ModelBusyError)
        self.last_error = f"{type(error).__name__} {error}"
        self._until = self._monotonic() + pause.total_seconds()
        extra = {
            "backend": self._name,
            "seconds": pause.total_seconds(),
            "detail": self.last_error,
        }
        logger.warning("model_rests", extra=extra)


class GuardedBackend:
    """A backend behind its breaker. Owns the one it wraps."""

    def __init__(self, backend: Backend, breaker: Breaker) -> None:
        self._backend = backend
        self._breaker = breaker
        self._looking = False

    @property
    def name(self) -> str:
        """The model's name."""
        return self._backend.name

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], *, tool_choice: ToolChoice
    ) -> AsyncGenerator[Delta, None]:
        """See `Backend.stream`. While the model is left alone: soon ModelRestingError."""
        tries = await self._enter()
        try:
            async with aclosing(
                self._backend.stream(messages, tools, tool_choice=tool_choice)
            ) as deltas:
                async for delta in deltas:
                    self._breaker.answered()
                    yield delta
        except ModelError as error:
            self._note(error, tried=tries)
            raise
        finally:
            if tries:
                self._breaker.leave()

    async def _enter(self) -> bool:
        try:
            return self._breaker.enter()
        except ModelRestingError:
            # Only one at a time looks, however many are waiting.
            if self._looking or not self._breaker.may_return:
                raise
            await self._look()
            return self._breaker.enter()

    async def _look(self) -> None:
        self._looking = True
        try:
            async with asyncio.timeout(_A_LOOK.total_seconds()):
                await self._backend.probe()
        except (ModelError, TimeoutError):
            self._breaker.looked(is_there=False)
        else:
            self._breaker.looked(is_there=True)
        finally:
            self._looking = False

    def _note(self, error: ModelError, *, tried: bool) -> None:
        match error:
            case ModelUnreachableError() | ModelSilentError() | ModelCutError():
                self._breaker.failed(error, tried=tried)
            case ModelBusyError(retry_after=timedelta() as span) if span > LONGEST_WAIT:
                self._breaker.told_to_wait(span, error)
            case ModelBusyError():
                pass
            case _:
                self._breaker.answered()  # it said no, so it is there

    async def probe(self) -> str:
        """See `Backend.probe`; asks the server even while the model is left alone."""
        return await self._backend.probe()

    async def aclose(self) -> None:
        """Close the wrapped backend."""
        await self._backend.aclose()
