"""Messages on their way into one stream, in order."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from lycatra_appservice.model import JSON

MOST: Final = 1024  # a reader so far behind has stopped reading


class Outbox:
    """Filled by whoever has something to say, emptied by who writes the stream."""

    __slots__ = ("_changed", "_waiting", "closed")

    def __init__(self) -> None:
        self._waiting: deque[Mapping[str, JSON]] = deque()
        self._changed: asyncio.Future[None] | None = None
        self.closed = False

    def put(self, message: Mapping[str, JSON]) -> None:
        """Add a message; one too many closes the stream, whose reader then asks anew."""
        if self.closed:
            return
        if len(self._waiting) >= MOST:
            self.close()
            return
        self._waiting.append(message)
        self._wake()

    def close(self) -> None:
        """Nothing more will come; what waits is still written."""
        self.closed = True
        self._wake()

    def cut(self, code: int, message: str) -> None:
        """The same, when somebody else ends it; a stream has no place for a reason."""
        self.close()

    def drain(self) -> Sequence[Mapping[str, JSON]]:
        """What waits, which then does not any more."""
        messages = tuple(self._waiting)
        self._waiting.clear()
        return messages

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def changed(self) -> asyncio.Future[None]:
        """Done when there is something to write, or nothing will come any more."""
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        if self._waiting or self.closed:
            self._changed.set_result(None)
        return self._changed

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
