"""The calls that a server works on now: their time, and for whom each runs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from lycatra_appservice.model import Caller


@dataclass(slots=True, eq=False)
class RunningCall:
    """One call. Its time stands still while a person is asked, for `patience` in all."""

    tool: str
    caller: Caller
    seconds: float
    deadline: asyncio.Timeout
    patience: timedelta
    questions: int = 0
    _open: int = 0

    @contextmanager
    def paused(self) -> Iterator[timedelta]:
        """While a person thinks; gives how long that may take."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._open += 1
        self.deadline.reschedule(None)
        try:
            yield self.patience
        finally:
            self._open -= 1
            self.patience -= timedelta(seconds=loop.time() - began)
            if not self._open and not self.deadline.expired():
                self.deadline.reschedule(loop.time() + self.seconds)


class RunningCalls:
    """Those of one connection."""

    def __init__(self) -> None:
        self._calls: list[RunningCall] = []
        self._has_abandoned = False
        self._here: ContextVar[RunningCall | None] = ContextVar("remote_call", default=None)

    @contextmanager
    def entered(self, call: RunningCall) -> Iterator[None]:
        """While it runs; one that we give up may go on at the server all the same."""
        self._calls.append(call)
        token = self._here.set(call)
        try:
            yield
        except asyncio.CancelledError:
            self._has_abandoned = True
            raise
        finally:
            self._here.reset(token)
            self._calls.remove(call)

    def asking(self) -> RunningCall | None:
        """Whose call a question of the server is about; None when that is not certain.

        Older servers do not say it of a program's pipe. A guess could show one person's matter to
        another.
        """
        call = self._here.get()
        if call is not None:
            return call if call in self._calls else None
        if self._has_abandoned:
            return None  # it may be about that one
        return self._calls[0] if len(self._calls) == 1 else None
