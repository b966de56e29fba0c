"""The calls that a server works on now: their time, and for whom each runs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from lycatra_appservice.model import Caller


@dataclass(slots=True, eq=False)
class RunningCall:
    """One call. Its time stands still while a person is asked."""

    tool: str
    caller: Caller
    seconds: float
    deadline: asyncio.Timeout
    questions: int = 0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While a person thinks."""
        self.deadline.reschedule(None)
        try:
            yield
        finally:
            if not self.deadline.expired():
                loop = asyncio.get_running_loop()
                self.deadline.reschedule(loop.time() + self.seconds)


class RunningCalls:
    """Those of one connection."""

    def __init__(self) -> None:
        self._calls: list[RunningCall] = []
        self._here: ContextVar[RunningCall | None] = ContextVar("remote_call", default=None)

    @contextmanager
    def entered(self, call: RunningCall) -> Iterator[None]:
        """While it runs."""
        self._calls.append(call)
        token = self._here.set(call)
        try:
            yield
        finally:
            self._here.reset(token)
            self._calls.remove(call)

    def asking(self) -> RunningCall | None:
        """Whose call a question of the server is about; None when that is not certain.

        Older servers do not say it of a program's pipe. A guess could show one person's matter to
        another.
        """
        call = self._here.get()
        if call is not None and call in self._calls:
            return call
        return self._calls[0] if len(self._calls) == 1 else None
