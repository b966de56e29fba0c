"""What both engines need so that a transaction ends well whatever happens to its task."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


async def settle(work: Coroutine[Any, Any, T]) -> T:
    """Let `work` end even if the caller is cancelled meanwhile; the cancellation is raised after.

    For the end of a transaction: a commit cut in half would leave a connection that nobody can
    use again. `work` must have a time limit of its own.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # looked at, or asyncio would report it as forgotten
    raise cancelled


class OpenTransactions:
    """The tasks that are inside a transaction of one database.

    A second transaction of the same task would wait for the first for ever on SQLite, and hold
    two connections on Postgres: it is refused on both, so that no test can miss it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any] | None] = set()

    def refuse_nested(self) -> None:
        """Raise RuntimeError inside a transaction of this task: use its connection instead."""
        if asyncio.current_task() in self._tasks:
            raise RuntimeError("this task is already inside a transaction: use its connection")

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Count this task in for the length of the block."""
        self.refuse_nested()
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)


class Outcome:
    """Whether a transaction can still be committed: one failed statement spoils it.

    That is how Postgres behaves; SQLite would keep the other statements, so both go by this.
    """

    def __init__(self) -> None:
        self._failed = False

    @contextmanager
    def part(self, doing: str) -> Iterator[None]:
        """Run one statement, or the commit; raises RuntimeError after an earlier failure."""
        if self._failed:
            raise RuntimeError(f"{doing}: a statement of this transaction had failed before")
        try:
            yield
        except BaseException:
            self._failed = True
            raise
