"""Tells figures and traces how each request to a model ended and how long it took."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from lycatra_appservice.agent.backend import Backend, ToolChoice, ToolSpec
from lycatra_appservice.agent.messages import Delta, Message, ModelAnswer
from lycatra_appservice.agent.trace_contents import answered, asked
from lycatra_appservice.agent.tracing import (
    ANSWERING_MODEL,
    FINISH_REASONS,
    INPUT_TOKENS,
    NO_TRACES,
    OPERATION,
    OUTPUT_TOKENS,
    Attribute,
    Span,
    Tracer,
    model_error_type,
)
from lycatra_appservice.errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One request to a model that has ended, with its times in seconds.

    `outcome` is ok, truncated, cut, busy, refused, unreachable, overflow, timeout or cancelled;
    `first_chunk` and the tokens are None where there were none; `chunk_gaps` lie between the
    chunks of a streamed answer.
    """

    backend: str
    outcome: str
    seconds: float
    first_chunk: float | None = None
    chunk_gaps: Sequence[float] = ()
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
        tracer: Tracer = NO_TRACES,
        described: Mapping[str, Attribute] = MappingProxyType({}),
    ) -> None:
        """`described` are the attributes that all spans of this model have."""
        self._key = key
        self._backend = backend
        self._observer = observer
        self._monotonic = monotonic
        self._tracer = tracer
        self._described = described

    @property
    def name(self) -> str:
        """The model's name."""
        return self._backend.name

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], *, tool_choice: ToolChoice
    ) -> AsyncGenerator[Delta, None]:
        """See `Backend.stream`."""
        attributes = {OPERATION: "chat", **self._described}
        if self._tracer.with_contents:
            attributes |= asked(messages)
        with self._tracer.span(f"chat {self.name}", attributes, is_request=True) as span:
            seen = _Seen(self._monotonic)
            try:
                async with aclosing(
                    self._backend.stream(messages, tools, tool_choice=tool_choice)
                ) as deltas:
                    async for delta in deltas:
                        seen.note(delta)
                        yield delta
            except ModelError as error:
                seen.outcome = model_error_type(error)
                raise
            finally:
                self._observer.model_answered(seen.request(self._key))
                self._describe(span, seen)

    def _describe(self, span: Span, seen: "_Seen") -> None:
        if seen.outcome not in ("ok", "truncated"):
            span.failed(seen.outcome)
        answer = seen.answer
        if answer is None:
            return
        if answer.usage is not None:
            counted = {INPUT_TOKENS: answer.usage.prompt, OUTPUT_TOKENS: answer.usage.completion}
            span.put(counted)
        if answer.finish:
            span.put({FINISH_REASONS: [answer.finish]})
        if answer.model:
            span.put({ANSWERING_MODEL: answer.model})
        if self._tracer.with_contents:
            span.put(answered(answer))

    async def probe(self) -> str:
        """See `Backend.probe`."""
        return await self._backend.probe()

    async def aclose(self) -> None:
        """Close the wrapped backend."""
        await self._backend.aclose()


@dataclass(slots=True)
class _Seen:
    """One request, as it goes on."""

    monotonic: Callable[[], float]
    began: float = 0.0
    last: float | None = None
    first_chunk: float | None = None
    gaps: list[float] = field(default_factory=list)
    outcome: str = "cancelled"
    answer: ModelAnswer | None = None

    def __post_init__(self) -> None:
        self.began = self.monotonic()

    def note(self, delta: Delta) -> None:
        if delta.answer is not None:  # the end of a stream, or an answer that was not streamed
            self.answer = delta.answer
            self.outcome = "truncated" if delta.answer.truncated else "ok"
            return
        now = self.monotonic()
        if self.last is None:
            self.first_chunk = now - self.began
        else:
            self.gaps.append(now - self.last)
        self.last = now

    def request(self, backend: str) -> ModelRequest:
        usage = self.answer.usage if self.answer else None
        return ModelRequest(
            backend=backend,
            outcome=self.outcome,
            seconds=self.monotonic() - self.began,
            first_chunk=self.first_chunk,
            chunk_gaps=self.gaps,
            input_tokens=usage.prompt if usage else None,
            output_tokens=usage.completion if usage else None,
        )
