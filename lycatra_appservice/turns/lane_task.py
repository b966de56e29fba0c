"""One claimed lane at work: its turns one after another, until it is given back or lost."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from time import monotonic
from typing import Final

from lycatra_appservice.turns.records import Lease, StoredTurn
from lycatra_appservice.turns.runner import TurnRunner

logger = logging.getLogger(__name__)

_TURNS_A_CLAIM: Final = 8  # then others get their turn; enough to save most claims of a burst


class Stop(StrEnum):
    """Why a lane's work is ended from outside."""

    BY_PERSON = "by_person"  # its turn ends as cancelled
    DRAIN = "drain"  # its turn is handed over
    LANE_LOST = "lane_lost"  # nothing more may be written


class LaneTask:
    """Owns the asyncio task of a lane; calls `ended` once, whatever happened."""

    def __init__(
        self,
        lease: Lease,
        head: StoredTurn,
        runner: TurnRunner,
        ended: Callable[["LaneTask"], None],
    ) -> None:
        self.lease = lease
        self.turn_id: int | None = head.id
        self._runner = runner
        self._ended = ended
        self._stop: Stop | None = None
        self._running = False  # only a running turn may be interrupted, not the leaving of a lane
        self._draining = False
        self._lost = False
        self.task = asyncio.create_task(self._serve(head), name=f"lane {lease.lane}")
        self.task.add_done_callback(self._on_done)

    def stop(self, why: Stop) -> None:
        """Interrupt the running turn. The first reason counts, but a lost lane beats all."""
        if why is Stop.LANE_LOST:
            self._lost = True
            self.task.cancel()
            return
        self._draining = self._draining or why is Stop.DRAIN
        if self._stop is None:
            self._stop = why
            if self._running:
                self.task.cancel()

    async def _serve(self, head: StoredTurn) -> None:
        turn: StoredTurn | None = head
        left = _TURNS_A_CLAIM
        while turn is not None:
            left -= 1
            self.turn_id = turn.id
            turn = await self._run(turn, go_on=left > 0)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        # A bug must not take the worker along: the lease ends by itself and the lane is freed.
        if not task.cancelled() and task.exception() is not None:
            logger.error("lane_broke", extra={"lane": self.lease.lane}, exc_info=task.exception())
        self._ended(self)

    async def _run(self, turn: StoredTurn, *, go_on: bool) -> StoredTurn | None:
        began = monotonic()
        following = await self._until_stopped(turn, go_on=go_on)
        if self._stop is None:
            return following
        took = timedelta(seconds=monotonic() - began)
        if self._stop is Stop.BY_PERSON:
            following = await self._runner.end_cancelled(self.lease, turn, took, go_on=go_on)
            # What came meanwhile was about this turn, too, unless the whole worker ends.
            self._stop = Stop.DRAIN if self._draining else None
            return following
        await self._runner.hand_over(self.lease, turn, took)
        return None

    async def _until_stopped(self, turn: StoredTurn, *, go_on: bool) -> StoredTurn | None:
        if self._stop is not None:
            return None
        self._running = True
        try:
            return await self._runner.run(self.lease, turn, go_on=go_on)
        except asyncio.CancelledError:
            if self._stop is None or self._lost:
                raise
            # Our own stop, so this task goes on to leave the lane in order.
            self.task.uncancel()
            return None
        finally:
            self._running = False
