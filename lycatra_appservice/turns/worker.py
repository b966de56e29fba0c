"""One replica's worker: claims ready lanes, a slot pool for each kind, and keeps its leases."""

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from lycatra_appservice.db.connection import Signals
from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.model import LaneKind
from lycatra_appservice.turns.lane_task import LaneTask, Stop
from lycatra_appservice.turns.records import CANCEL_CHANNEL, TURN_CHANNEL, Lease, was_taken
from lycatra_appservice.turns.runner import TurnRunner
from lycatra_appservice.turns.store import TurnStore
from lycatra_appservice.turns.upkeep import Upkeep

logger = logging.getLogger(__name__)

SLOTS: Final[Mapping[LaneKind, int]] = {
    LaneKind.CONTROL: 4,
    LaneKind.COMMAND: 8,
    LaneKind.ASK: 16,
    LaneKind.JOB: 4,
    LaneKind.BACKGROUND: 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTiming:
    """The spans of a worker. The lease is many beats long, so that one lost beat costs nothing."""

    lease: timedelta = timedelta(seconds=15)
    beat: timedelta = timedelta(seconds=1)
    poll: timedelta = timedelta(seconds=1)  # a lost notification costs at most this
    sighting: timedelta = timedelta(seconds=10)  # how often a replica says that it lives
    hand_over: timedelta = timedelta(seconds=5)  # after the grace of a drain


class WorkerObserver(Protocol):
    """Where the worker's figures go."""

    def woken(self, by: str) -> None:
        """The worker looked for work: by `notify` or by `poll`."""

    def slots(self, kind: LaneKind, used: int) -> None:
        """How many slots of a kind are in use now."""

    def recovered(self, lanes: int) -> None:
        """Lanes of dead workers were freed."""

    def lease_lost(self) -> None:
        """A lane was taken from us, or could not be renewed in time."""


class Renewed(Protocol):
    """Something else that this process holds by leases, and that its turns need."""

    async def renew(self) -> None:
        """Renew them all. Raises StoreUnavailableError when that could not be done."""


@dataclass(slots=True)
class _Running:
    tasks: dict[Lease, LaneTask] = field(default_factory=dict)

    def of(self, kind: LaneKind) -> int:
        return sum(lease.kind is kind for lease in self.tasks)


class Worker:
    """Runs until `drain`. Enter `run` once; it returns when every lane has been given back."""

    def __init__(
        self,
        store: TurnStore,
        upkeep: Upkeep,
        runner: TurnRunner,
        signals: Signals,
        observer: WorkerObserver,
        timing: WorkerTiming,
        slots: Mapping[LaneKind, int] = SLOTS,
        beside: Sequence[Renewed] = (),
    ) -> None:
        """`beside` is renewed by the same beat, so that it ends with the lanes if that fails."""
        self._store = store
        self._upkeep = upkeep
        self._runner = runner
        self._observer = observer
        self._timing = timing
        self._slots = slots
        self._beside = beside
        self._running = _Running()
        self._wake = asyncio.Event()
        self._draining = asyncio.Event()
        self._notified = False
        signals.listen(TURN_CHANNEL, self._on_turn)
        signals.listen(CANCEL_CHANNEL, self._on_cancel)

    async def run(self) -> None:
        """Work until drained. Database errors are waited out; any other is a bug and raised.

        Cancelled, it stops like a crash: nothing is given back, others wait for the lease.
        """
        try:
            async with asyncio.TaskGroup() as group:
                claiming = group.create_task(self._claim_loop(), name="claim")
                keeping = [
                    group.create_task(self._beat_loop(), name="beat"),
                    group.create_task(self._sighting_loop(), name="sighting"),
                ]
                await self._draining.wait()
                await claiming  # never cancelled: a claim cut off half-way leaves lanes owned
                await self._hand_over()  # the beat goes on until every lane is given back
                for loop in keeping:
                    loop.cancel()
        finally:
            await self._stop_lanes(Stop.LANE_LOST)
        with suppress(StoreUnavailableError):
            await self._upkeep.unregister()

    async def drain(self, grace: timedelta) -> None:
        """Claim nothing more; give running turns `grace` to end, then hand them over."""
        self._runner.draining = True
        self._slots = dict.fromkeys(LaneKind, 0)
        tasks = [lane.task for lane in self._running.tasks.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace.total_seconds())
        self._draining.set()
        self._wake.set()

    def _on_turn(self, _: str) -> None:
        self._notified = True
        self._wake.set()

    def _on_cancel(self, hint: str) -> None:
        for lane in self._running.tasks.values():
            if lane.turn_id is not None and str(lane.turn_id) == hint:
                lane.stop(Stop.BY_PERSON)
            elif was_taken(lane.lease, hint):
                # Its turn begins anew; the beat would find out, too, but only later.
                logger.info("turn_interrupted", extra={"lane": lane.lease.lane})
                lane.stop(Stop.LANE_LOST)

    async def _claim_loop(self) -> None:
        while not self._draining.is_set():
            notified, self._notified = self._notified, False
            self._wake.clear()  # before claiming: what is stored from now on wakes us again
            self._observer.woken("notify" if notified else "poll")
            try:
                await self._claim_all()
            except StoreUnavailableError as error:
                logger.warning("claim_failed", extra={"error": str(error)})
            pause = self._timing.poll.total_seconds() * random.uniform(0.8, 1.2)  # noqa: S311 (jitter)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _claim_all(self) -> None:
        for kind in await self._store.ready_kinds():
            free = self._slots[kind] - self._running.of(kind)
            if free <= 0:
                continue
            for lease, head in await self._store.claim(kind, free):
                lane = LaneTask(lease, head, self._runner, self._ended)
                self._running.tasks[lease] = lane
            self._observer.slots(kind, self._running.of(kind))

    def _ended(self, lane: LaneTask) -> None:
        self._running.tasks.pop(lane.lease, None)
        self._observer.slots(lane.lease.kind, self._running.of(lane.lease.kind))
        self._wake.set()  # a slot is free

    async def _beat_loop(self) -> None:
        clock = asyncio.get_running_loop().time
        lease, beat = self._timing.lease.total_seconds(), self._timing.beat.total_seconds()
        ends_at = clock() + lease
        while True:
            began = clock()  # a lease counts from before its beat: that may take long
            beating = asyncio.create_task(self._beat_once(), name="beat once")
            try:
                while not await _is_over(beating, ends_at):
                    ends_at = self._lose_all()
                beating.result()
                ends_at = began + lease
            except StoreUnavailableError as error:
                logger.warning("beat_failed", extra={"error": str(error)})
                if clock() + beat > ends_at:  # the next one would come too late
                    ends_at = self._lose_all()
            finally:
                beating.cancel()
            await asyncio.sleep(beat)

    def _lose_all(self) -> float:
        """Stop everything, because no lease can be relied on; return when new ones would end."""
        logger.warning("beat_missed", extra={"lanes": len(self._running.tasks)})
        self._lose(self._running.tasks)
        return asyncio.get_running_loop().time() + self._timing.lease.total_seconds()

    async def _beat_once(self) -> None:
        held = list(self._running.tasks)
        if held:
            self._lose(await self._upkeep.beat(held))
            for turn_id in await self._upkeep.cancelled(held):
                self._on_cancel(str(turn_id))  # the notification may have been lost
        for each in self._beside:
            await each.renew()
        freed = await self._upkeep.free_dead()
        if freed:
            logger.warning("lanes_recovered", extra={"lanes": freed})
            self._observer.recovered(freed)
            self._wake.set()

    def _lose(self, leases: Iterable[Lease]) -> None:
        for lease in list(leases):
            lane = self._running.tasks.get(lease)
            if lane is not None:
                logger.warning("lease_lost", extra={"lane": lease.lane})
                self._observer.lease_lost()
                lane.stop(Stop.LANE_LOST)

    async def _sighting_loop(self) -> None:
        while True:
            try:
                await self._upkeep.register()
            except StoreUnavailableError as error:
                logger.warning("sighting_failed", extra={"error": str(error)})
            await asyncio.sleep(self._timing.sighting.total_seconds())

    async def _hand_over(self) -> None:
        with suppress(TimeoutError):
            # With the database away it cannot be done, and the process has to end all the same.
            async with asyncio.timeout(self._timing.hand_over.total_seconds()):
                await self._stop_lanes(Stop.DRAIN)

    async def _stop_lanes(self, why: Stop) -> None:
        lanes = list(self._running.tasks.values())
        for lane in lanes:
            lane.stop(why)
        if lanes:
            await asyncio.wait([lane.task for lane in lanes])


async def _is_over(beating: asyncio.Task[None], ends_at: float) -> bool:
    # Waited for, not cancelled: to cancel a statement, too, takes a server that answers.
    left = ends_at - asyncio.get_running_loop().time()
    done, _ = await asyncio.wait({beating}, timeout=left)
    return bool(done)
