"""At most so many requests at a time to one model; the others wait in the order they came."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from lycatra_appservice.agent.backend import Backend, ToolChoice, ToolSpec
from lycatra_appservice.agent.messages import Delta, Message


class LimitedBackend:
    """A backend with so many slots in this process. Owns the one it wraps.

    A slot is held only during a request, not while tools run or people approve.
    """

    def __init__(self, backend: Backend, slots: int) -> None:
        self._backend = backend
        self._slots = asyncio.Semaphore(slots)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._backend.name

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], *, tool_choice: ToolChoice
    ) -> AsyncGenerator[Delta, None]:
        """See `Backend.stream`."""
        async with (
            self._slots,
            aclosing(self._backend.stream(messages, tools, tool_choice=tool_choice)) as deltas,
        ):
            async for delta in deltas:
                yield delta

    async def probe(self) -> str:
        """See `Backend.probe`."""
        return await self._backend.probe()

    async def aclose(self) -> None:
        """Close the wrapped backend."""
        await self._backend.aclose()
