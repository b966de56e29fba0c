"""Waiting for something that can be seen, with a deadline that only a failure reaches."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 45.0
_POLL_SECONDS = 0.05


async def until(
    seen: Callable[[], Awaitable[bool]], what: str, seconds: float = PATIENCE_SECONDS
) -> None:
    """Return when it is seen; `what` says in the failure what never came."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                if await seen():
                    return
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"never came: {what}") from None
