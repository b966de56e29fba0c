"""Watches the agent at work, for figures and traces."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from lycatra_appservice.agent.tracing import (
    AGENT,
    CONVERSATION,
    NO_TRACES,
    OPERATION,
    Span,
    Tracer,
    error_type,
    told,
)
from lycatra_appservice.turns.records import ParkedError

AGENT_NAME: Final = "lycatra"


class AgentObserver(Protocol):
    """Where the figures go."""

    def agent_invoked(self, seconds: float, error: str) -> None:
        """A question was worked on to its end; `error` is empty when it has an answer."""

    def call_mistaken(self, kind: str) -> None:
        """The model called wrongly, and was told: arguments, unknown_tool."""

    def agent_stopped(self, reason: str) -> None:
        """The model had to be ended: same_call, mistakes, requests."""

    def prompt_trimmed(self, what: str) -> None:
        """A prompt was too long, and lost old results or whole turns: results, turns."""


class _Nobody:
    def agent_invoked(self, seconds: float, error: str) -> None:
        """See AgentObserver."""

    def call_mistaken(self, kind: str) -> None:
        """See AgentObserver."""

    def agent_stopped(self, reason: str) -> None:
        """See AgentObserver."""

    def prompt_trimmed(self, what: str) -> None:
        """See AgentObserver."""


class AgentWatch:
    """Shared by all questions of the process."""

    def __init__(
        self,
        observer: AgentObserver,
        tracer: Tracer = NO_TRACES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.observer = observer
        self.tracer = tracer
        self._monotonic = monotonic

    @contextmanager
    def invocation(self, trigger_id: str, conversation: str) -> Iterator[Span]:
        """Around the work on one question, in one run of its turn.

        One that ends to wait for people is not measured: it is not over.
        """
        began = self._monotonic()
        attributes = {
            OPERATION: "invoke_agent",
            AGENT: AGENT_NAME,
            CONVERSATION: conversation,
        }
        name = f"invoke_agent {AGENT_NAME}"
        with self.tracer.question(trigger_id, name, attributes) as span, told(span):
            try:
                yield span
            except ParkedError:
                raise
            except BaseException as failed:
                self.observer.agent_invoked(self._monotonic() - began, error_type(failed))
                raise
            self.observer.agent_invoked(self._monotonic() - began, "")


UNWATCHED: Final = AgentWatch(_Nobody())
