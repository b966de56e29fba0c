"""A time limit that can stand still while a turn waits for something that is not its fault."""

import asyncio
from datetime import timedelta
from types import TracebackType


class Deadline:
    """Enter once: the block ends with TimeoutError when its time is over.

    Standing still more than once is once. Before and after the block, `pause` and `resume` do
    nothing.
    """

    def __init__(self, span: timedelta) -> None:
        self._span = span
        self._timeout: asyncio.Timeout | None = None
        self._left: float | None = None  # seconds, while it stands still

    @property
    def span(self) -> timedelta:
        """How long it is, pauses left out."""
        return self._span

    async def __aenter__(self) -> "Deadline":
        self._timeout = await asyncio.timeout(self._span.total_seconds()).__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        timeout, self._timeout = self._timeout, None
        if timeout is not None:
            await timeout.__aexit__(kind, error, traceback)

    def pause(self) -> None:
        """Stand still from now on."""
        if self._timeout is None or self._timeout.expired() or self._left is not None:
            return
        ends_at = self._timeout.when()
        if ends_at is not None:
            self._left = max(ends_at - _now(), 0.0)
            self._timeout.reschedule(None)

    def resume(self) -> None:
        """Go on with what is left."""
        left, self._left = self._left, None
        if self._timeout is not None and left is not None:
            self._timeout.reschedule(_now() + left)


def _now() -> float:
    return asyncio.get_running_loop().time()
