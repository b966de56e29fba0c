"""Tells the metrics how each request to a model ended and how long it took."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from lycatra_appservice.agent.backend import (
    Backend,
    ContextOverflowError,
    ModelBusyError,
    ModelRefusedError,
    ModelSilentError,
    ToolChoice,
    ToolSpec,
)
from lycatra_appservice.agent.messages import Delta, Message
from lycatra_appservice.errors import ModelError


class ModelObserver(Protocol):
    """Where the figures go."""

    def model_answered(self, outcome: str, seconds: float) -> None:
        """One request ended: ok, busy, refused, unreachable, overflow, timeout, cancelled."""


class ObservedBackend:
    """A backend whose requests are counted. Owns the one it wraps."""

    def __init__(
        self, backend: Backend, observer: ModelObserver, monotonic: Callable[[], float]
    ) -> None:
        self._backend = backend
        self._observer = observer
        self._monotonic = monotonic

    @property
    def name(self) -> str:
        """The model's name."""
        return self._backend.name

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], *, tool_choice: ToolChoice
    ) -> AsyncGenerator[Delta, None]:
        """See `Backend.stream`."""
        began = self._monotonic()
        outcome = "cancelled"
        try:
            async with aclosing(
                self._backend.stream(messages, tools, tool_choice=tool_choice)
            ) as deltas:
                async for delta in deltas:
                    if delta.answer is not None:
                        outcome = "ok"
                    yield delta
        except ModelError as error:
            outcome = _outcome_of(error)
            raise
        finally:
            self._observer.model_answered(outcome, self._monotonic() - began)

    async def probe(self) -> str:
        """See `Backend.probe`."""
        return await self._backend.probe()

    async def aclose(self) -> None:
        """Close the wrapped backend."""
        await self._backend.aclose()


def _outcome_of(error: ModelError) -> str:
    match error:
        case ModelBusyError():
            return "busy"
        case ModelRefusedError():
            return "refused"
        case ContextOverflowError():
            return "overflow"
        case ModelSilentError():
            return "timeout"
        case _:
            return "unreachable"
