"""A run that is cut off in the middle of a tool, as when its process dies."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


async def die_here() -> None:
    """Cancel the task that this runs in; never returns."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.Event().wait()


@contextmanager
def cut_off() -> Iterator[None]:
    """What is cancelled inside by `die_here` ends here, and the test goes on."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        assert task.uncancel() == 0
