"""How long a model may be silent."""

import asyncio
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
