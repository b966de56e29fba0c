"""Hints and leadership where there is only one process."""

import asyncio
from collections.abc import Awaitable, Callable

from lycatra_appservice.db.connection import Listener


class SqliteSignals:
    """Hints within this process; the only worker of its file always leads."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    def listen(self, channel: str, listener: Listener) -> None:
        """Call `listener` with the payload of each notification on `channel`."""
        self._listeners.setdefault(channel, []).append(listener)

    def deliver(self, channel: str, payload: str) -> None:
        """Call the listeners of a channel; for the database, after a commit."""
        for listener in self._listeners.get(channel, ()):
            listener(payload)

    @property
    def connected(self) -> bool:
        """Always: there is no connection to lose."""
        return True

    async def try_lead(self) -> bool:
        """Always true: `WorkerLock` lets only one worker in."""
        return True

    async def run(self, ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Call `ready` and every listener once, then wait to be cancelled."""
        if ready is not None:
            await ready()
        for channel in list(self._listeners):
            self.deliver(channel, "")
        await asyncio.Event().wait()
