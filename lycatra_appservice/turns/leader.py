"""The one leader of a deployment: does what must be done once, wherever it happens to run."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Signals
from lycatra_appservice.errors import LycatraError

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
_FIRST_RETRY: Final = timedelta(seconds=1)
_LONGEST_RETRY: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Something that only the leader does, at once when it starts to lead and then `every`.

    `run` may be cut off at any time by a lost leadership, and another leader may just have done
    it: it must be safe to repeat. A LycatraError is logged and the duty comes again.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[None]]


def _pause(duty: Duty, failures: int) -> timedelta:
    """Its time; sooner after a failure, so that a homeserver that is back is not waited for."""
    if not failures:
        return duty.every
    doublings: int = 2 ** min(failures - 1, 10)
    return min(duty.every, _FIRST_RETRY * doublings, _LONGEST_RETRY)


class Leader:
    """Leads when it can. Each duty has a task of its own, so that none delays another."""

    def __init__(
        self, signals: Signals, duties: Sequence[Duty], on_end: Callable[[], None]
    ) -> None:
        """`on_end` is called when a leadership ends."""
        self._signals = signals
        self._duties = duties
        self._on_end = on_end
        self._tasks: list[asyncio.Task[None]] = []
        self._hurried = {duty.name: asyncio.Event() for duty in duties}

    @property
    def leads(self) -> bool:
        """Whether this process leads now."""
        return bool(self._tasks)

    def hurry(self, name: str) -> None:
        """Have a duty done now instead of at its time, if this process leads."""
        self._hurried[name].set()

    async def run(self) -> None:
        """Look for leadership until cancelled."""
        try:
            while True:
                leads = await self._signals.try_lead()
                if leads and not self._tasks:
                    logger.info("leading")
                    self._tasks = [
                        asyncio.create_task(self._perform(duty), name=f"duty {duty.name}")
                        for duty in self._duties
                    ]
                elif not leads and self._tasks:
                    logger.warning("leadership_lost")
                    await self._stop()
                self._report_broken()
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await self._stop()

    async def _perform(self, duty: Duty) -> None:
        hurried = self._hurried[duty.name]
        failures = 0
        while True:
            hurried.clear()
            try:
                await duty.run()
            except LycatraError as error:
                failures += 1
                logger.warning("duty_failed", extra={"duty": duty.name, "error": str(error)})
            else:
                failures = 0
            with suppress(TimeoutError):
                async with asyncio.timeout(_pause(duty, failures).total_seconds()):
                    await hurried.wait()

    def _report_broken(self) -> None:
        """Start a duty again that a bug has ended, after logging its traceback."""
        # There are no tasks while another replica leads.
        for n, (task, duty) in enumerate(zip(self._tasks, self._duties, strict=False)):
            if task.done() and not task.cancelled():
                logger.error("duty_broke", extra={"duty": duty.name}, exc_info=task.exception())
                self._tasks[n] = asyncio.create_task(self._perform(duty), name=f"duty {duty.name}")

    async def _stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks:
            self._on_end()
