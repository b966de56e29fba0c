"""What the agent needs from a model server, and the ways in which one can fail it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, Protocol, TypeAlias

from lycatra_appservice.agent.messages import Delta, Message
from lycatra_appservice.errors import ModelError
from lycatra_appservice.words.spans import at_least
from lycatra_appservice.words.text import Text

ToolChoice: TypeAlias = Literal["auto", "none"]

LONGEST_WAIT: Final = timedelta(seconds=10)  # longer than that a person would rather be told


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as the model sees it; `schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: Mapping[str, Any]


class Backend(Protocol):
    """One model at one server. Owned by the process, shared by all turns."""

    @property
    def name(self) -> str:
        """The model's name, for logs and metrics."""

    def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], *, tool_choice: ToolChoice
    ) -> AsyncGenerator[Delta, None]:
        """Ask once. The last delta, and only it, carries the whole answer.

        Close the generator (`contextlib.aclosing`), else the server goes on writing. Raises the
        errors of this module; never retries what a person would have to wait for.
        """

    async def probe(self) -> str:
        """Look whether the server can be reached, without using the model; a short text."""

    async def aclose(self) -> None:
        """Close all connections; the backend may not be used after it."""


class ModelUnreachableError(ModelError):
    """Nothing came back: no connection, or the server failed before its first word."""


class ModelGoneError(ModelUnreachableError):
    """Not even a connection: its server is down, or on its way up."""


class ModelSilentError(ModelError):
    """The server took the request and did not begin to answer in time."""

    said = Text("model_silent")
    retryable = False  # asking at once would make the person wait as long again


class ModelBusyError(ModelError):
    """The server is at its limit; `retry_after` is its own wish, if it has one."""

    def __init__(self, detail: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.said = Text(
            "model_busy", wait=Text("moment") if retry_after is None else at_least(retry_after)
        )


class ModelQueueFullError(ModelError):
    """Not asked: too many requests wait for it already."""

    said = Text("model_queue_full")
    retryable = False  # whoever is told so decides when to ask again


class ModelRestingError(ModelError):
    """Not asked: it failed so often lately that it is left alone for a while.

    `busy_for` is how long, if the server itself wanted that.
    """

    retryable = False

    def __init__(self, detail: str, busy_for: timedelta | None = None) -> None:
        super().__init__(detail)
        self.busy_for = busy_for
        if busy_for is not None:
            self.said = Text("model_busy", wait=at_least(busy_for))


class NoLocalModelError(ModelError):
    """The room keeps its questions on models near by, and there is none."""

    said = Text("no_local_model")
    retryable = False


class ModelRefusedError(ModelError):
    """The server does not accept our requests: key, model name, address or a parameter."""

    said = Text("model_refuses")
    retryable = False


class ContextOverflowError(ModelError):
    """The conversation does not fit into the model's window, of this many tokens if it said so."""

    said = Text("conversation_too_long")
    retryable = False

    def __init__(self, detail: str, *, window: int | None = None) -> None:
        super().__init__(detail)
        self.window = window


class ModelCutError(ModelError):
    """The connection was lost, or fell silent, in the middle of an answer.

    `partial` is the text so far; empty if the model was on its way to a tool call.
    """

    said = Text("model_cut")
    retryable = False  # part of the answer may have been shown already

    def __init__(self, detail: str, *, partial: str) -> None:
        super().__init__(detail)
        self.partial = partial
