"""Waits for the ends of calls, which any replica may bring about."""

import asyncio
from typing import Final

from lycatra_appservice.mcp.calls import Call, CallStore

_LOOK_SECONDS: Final = 2.0  # a hint may be lost with its connection


class Endings:
    """Wakes whoever waits here for a call that has ended somewhere."""

    def __init__(self, calls: CallStore) -> None:
        self._calls = calls
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.is_hurried = False

    def heard(self, call_id: str) -> None:
        """A call has ended; an empty id says that some may have."""
        for each in [call_id] if call_id else [*self._waiting]:
            for event in self._waiting.get(each, ()):
                event.set()

    def hurry(self) -> None:
        """Nobody may wait here any longer: this replica stops."""
        self.is_hurried = True
        self.heard("")

    async def wait(self, call: Call, seconds: float) -> Call:
        """The call as it stands when it has ended, or after so many seconds."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        event = asyncio.Event()
        events = self._waiting.setdefault(call.id, set())
        events.add(event)
        try:
            while True:
                event.clear()
                found = await self._calls.get(call.id) or call
                left = until - clock()
                if found.ending is not None or found.is_forsaken or self.is_hurried or left <= 0:
                    return found
                await _first(event, min(left, _LOOK_SECONDS))
        finally:
            events.discard(event)
            if not events:
                self._waiting.pop(call.id, None)


async def _first(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
