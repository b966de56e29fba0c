"""How long a model may be silent, and how long a whole answer may take."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta


class Patience:
    """A deadline that only words move: the first by `first`, each further one by `idle`.

    Keep-alive comments do not move it. It never runs over a `yield`: there the time belongs to
    whoever consumes the words, and a timeout would cancel them instead of the reading.
    """

    def __init__(self, first: timedelta, idle: timedelta) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle = idle.total_seconds()
        self._deadline = self._loop.time() + first.total_seconds()

    def bounded(self) -> asyncio.Timeout:
        """A context in which TimeoutError is raised at the deadline."""
        return asyncio.timeout_at(self._deadline)

    def heard(self) -> None:
        """Something was said just now."""
        self._deadline = self._loop.time() + self._idle


class TurnPatience:
    """A deadline for a whole answer, which does not run while others are served first."""

    def __init__(self, span: timedelta | None) -> None:
        """Without a span there is no deadline."""
        self._span = span
        self._timeout: asyncio.Timeout | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The time in which the answer is made. Raises TimeoutError at its end."""
        seconds = None if self._span is None else self._span.total_seconds()
        async with asyncio.timeout(seconds) as self._timeout:
            yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within `running`: a wait that is nobody's slowness."""
        timeout = self._timeout
        deadline = timeout.when() if timeout else None
        if timeout is None or deadline is None:
            yield
            return
        loop = asyncio.get_running_loop()
        left = deadline - loop.time()
        timeout.reschedule(None)
        try:
            yield
        finally:
            if not timeout.expired():
                timeout.reschedule(loop.time() + left)
