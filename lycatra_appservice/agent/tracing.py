"""Spans of the agent's work, for whoever listens; names and attributes are OpenTelemetry's."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, Protocol, TypeAlias

from lycatra_appservice.agent.backend import (
    ContextOverflowError,
    ModelBusyError,
    ModelCutError,
    ModelRefusedError,
    ModelSilentError,
)
from lycatra_appservice.errors import ModelError, ToolError, ToolTimeoutError, TurnOverError
from lycatra_appservice.turns.records import ParkedError

Attribute: TypeAlias = str | int | float | bool | Sequence[str]

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
MODEL: Final = "gen_ai.request.model"
ANSWERING_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
AGENT: Final = "gen_ai.agent.name"
CONVERSATION: Final = "gen_ai.conversation.id"
TOOL: Final = "gen_ai.tool.name"
CALL: Final = "gen_ai.tool.call.id"
# Only where contents are wanted.
INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT: Final = "gen_ai.input.messages"
OUTPUT: Final = "gen_ai.output.messages"
ARGUMENTS: Final = "gen_ai.tool.call.arguments"
RESULT: Final = "gen_ai.tool.call.result"
# Ours: this run ended to wait for people, and another one goes on in the same trace.
WAITS: Final = "lycatra.waits_for_approval"


class Span(Protocol):
    """A piece of work that is under way."""

    def put(self, attributes: Mapping[str, Attribute]) -> None:
        """Say something about it."""

    def failed(self, error_type: str) -> None:
        """It went wrong; `error_type` is one of few words."""


class Tracer(Protocol):
    """Where spans go. None of this waits, raises, or disturbs the work."""

    @property
    def with_contents(self) -> bool:
        """Whether what people, models and tools say may be told, too."""

    def question(
        self, trigger_id: str, name: str, attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[Span]:
        """A span that all others are below which are begun within it, also in tasks of it.

        All runs of one trigger, on whatever replica, are in one trace.
        """

    def span(
        self, name: str, attributes: Mapping[str, Attribute], *, is_request: bool = False
    ) -> AbstractContextManager[Span]:
        """A span below the question; `is_request`: another server does the work."""


class _Unseen:
    """A span and a tracer that nobody looks at."""

    with_contents = False

    def put(self, attributes: Mapping[str, Attribute]) -> None:
        """See Span."""

    def failed(self, error_type: str) -> None:
        """See Span."""

    def question(
        self, trigger_id: str, name: str, attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[Span]:
        """See Tracer."""
        return nullcontext(self)

    def span(
        self, name: str, attributes: Mapping[str, Attribute], *, is_request: bool = False
    ) -> AbstractContextManager[Span]:
        """See Tracer."""
        return nullcontext(self)


NO_TRACES: Final[Tracer] = _Unseen()


@contextmanager
def told(span: Span) -> Iterator[None]:
    """Tell the span how the block ends, if not well."""
    try:
        yield
    except ParkedError:
        span.put({WAITS: True})
        raise
    except BaseException as failed:
        span.failed(error_type(failed))
        raise


def error_type(failed: BaseException) -> str:
    """A failure in one of few words, for figures and spans."""
    match failed:
        case ModelError():
            return model_error_type(failed)
        case ToolTimeoutError() | TimeoutError():
            return "timeout"
        case ToolError():
            return "failed"
        case asyncio.CancelledError() | TurnOverError():
            return "cancelled"
        case _:
            return "crashed"


def model_error_type(failed: ModelError) -> str:
    """The same for a request to a model."""
    match failed:
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
