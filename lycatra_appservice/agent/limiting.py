"""At most so many requests at a time to one model; the others wait in the order they came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lycatra_appservice.agent.ports import HearerPort
from lycatra_appservice.model import UserID


class ProcessSlots:
    """The slots of one model in this process; see SlotsPort."""

    def __init__(self, slots: int) -> None:
        self._slots = asyncio.Semaphore(slots)

    @asynccontextmanager
    async def held(self, person: UserID, hearer: HearerPort) -> AsyncIterator[None]:
        """See `SlotsPort.held`."""
        async with self._slots:
            yield
