"""Tells the metrics how each request to a model ended and how long it took."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from lycatra_appservice.agent.backend import (
    Backend,
    ContextOverflowError,
    ModelBusyError,
    ModelCutError,
    ModelRefusedError,
    ModelSilentError,
    ToolChoice,
    ToolSpec,
)
from lycatra_appservice.agent.messages import Delta, Message, ModelAnswer
from lycatra_appservice.errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One request to a model that has ended, with its times in seconds.

    `outcome` is ok, truncated, cut, busy, refused, unreachable, overflow, timeout or cancelled;
    `first_chunk` and the tokens are None where there were none.
    """

    backend: str
    outcome: str
    seconds: float
    first_chunk: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class ModelObserver(Protocol):
    """Where the figures go."""

    def model_answered(self, request: ModelRequest) -> None:
        """One request ended."""


class ObservedBackend:
    """A backend whose requests are counted under the operator's name. Owns the one it wraps."""

    def __init__(
        self,
        key: str,
        backend: Backend,
        observer: ModelObserver,
        monotonic: Callable[[], float],
    ) -> None:
        self._key = key
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
        first: float | None = None
        outcome = "cancelled"
        answer: ModelAnswer | None = None
        try:
            async with aclosing(
                self._backend.stream(messages, tools, tool_choice=tool_choice)
            ) as deltas:
                async for delta in deltas:
                    if first is None:
                        first = self._monotonic() - began
                    if delta.answer is not None:
                        answer, outcome = delta.answer, _outcome_with(delta.answer)
                    yield delta
        except ModelError as error:
            outcome = _outcome_of(error)
            raise
        finally:
            usage = answer.usage if answer else None
            self._observer.model_answered(
                ModelRequest(
                    backend=self._key,
                    outcome=outcome,
                    seconds=self._monotonic() - began,
                    first_chunk=first,
                    input_tokens=usage.prompt if usage else None,
                    output_tokens=usage.completion if usage else None,
                )
            )

    async def probe(self) -> str:
        """See `Backend.probe`."""
        return await self._backend.probe()

    async def aclose(self) -> None:
        """Close the wrapped backend."""
        await self._backend.aclose()


def _outcome_with(answer: ModelAnswer) -> str:
    return "truncated" if answer.truncated else "ok"


def _outcome_of(error: ModelError) -> str:
    match error:
        case ModelCutError():
            return "cut"
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
