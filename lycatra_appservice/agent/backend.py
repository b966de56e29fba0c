"""What the agent needs from a model server, and the ways in which one can fail it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any, Literal, Protocol, TypeAlias

from lycatra_appservice.agent.messages import Delta, Message
from lycatra_appservice.errors import ModelError

ToolChoice: TypeAlias = Literal["auto", "none"]


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


class ModelSilentError(ModelError):
    """The server took the request and did not begin to answer in time."""

    user_message = (
        "The language model did not begin to answer in time. Please ask again in a while; "
        "commands like `!help` still work."
    )
    retryable = False  # asking at once would make the person wait as long again


class ModelBusyError(ModelError):
    """The server is at its limit; `retry_after` is its own wish, if it has one."""

    def __init__(self, detail: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.user_message = (
            f"The language model is busy. Please ask again in {_in_words(retry_after)}."
        )


class ModelRefusedError(ModelError):
    """The server does not accept our requests: key, model name, address or a parameter."""

    user_message = (
        "The language model's server refuses my requests. "
        "An administrator can see why with `lycatra doctor` and in my log."
    )
    retryable = False


class ContextOverflowError(ModelError):
    """The conversation does not fit into the model's window."""

    user_message = (
        "This conversation has become too long for the language model. "
        "Send `!reset` to start afresh, then ask again."
    )
    retryable = False


class ModelCutError(ModelError):
    """The connection was lost, or fell silent, in the middle of an answer.

    `partial` is the text so far; empty if the model was on its way to a tool call.
    """

    user_message = (
        "I lost the connection to the language model in the middle of its answer. "
        "Please ask again."
    )
    retryable = False  # part of the answer may have been shown already

    def __init__(self, detail: str, *, partial: str) -> None:
        super().__init__(detail)
        self.partial = partial


def _in_words(wait: timedelta | None) -> str:
    if wait is None:
        return "a moment"
    seconds = max(1, ceil(wait.total_seconds()))
    if seconds < 60:
        return "a second" if seconds == 1 else f"{seconds} seconds"
    minutes = ceil(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
