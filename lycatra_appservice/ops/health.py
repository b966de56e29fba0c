"""How the parts of the service are doing, and whether this replica may be given work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import aiohttp

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.toolkit.base import Component

logger = logging.getLogger(__name__)

# Looks at one part; returns a few words for people ("PostgreSQL 15", "12 ms") when it is well,
# raises UnwellError or any other error of its own when it is not.
Probe: TypeAlias = Callable[[], Awaitable[str]]

_LONGEST_DETAIL: Final = 200
_LONG_PATIENCE: Final = timedelta(seconds=3)
# A part that does not work. Anything else is a bug of its probe, and its traceback is wanted.
_EXPECTED: Final = (LycatraError, TimeoutError, aiohttp.ClientError, OSError)


class UnwellError(LycatraError):
    """A part does not work; `said` tells what was seen, in words safe to show."""

    retryable = True

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.said = detail


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


class HealthBoard:
    """The last known state of each part. Looks again when asked and the last look is old.

    Nobody waits for a part that hangs: each look has its deadline, all run at once, and whoever
    asks gets what is known when their own patience ends. However many ask, one look runs.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        *,
        now: Callable[[], datetime] = utc_now,
        fresh_for: timedelta = timedelta(seconds=5),
        deadline: timedelta = timedelta(seconds=2),
    ) -> None:
        self._probes = dict(probes)
        self._now = now
        self._fresh_for = fresh_for
        self._deadline = deadline
        self._seen: dict[str, Component] = {}
        self._looked_at: datetime | None = None
        self._look: asyncio.Task[None] | None = None

    async def components(self, patience: timedelta = _LONG_PATIENCE) -> Sequence[Component]:
        """Return every part in the order of the probes; never raises for a part's sake."""
        if self._look is None and not self._is_fresh():
            self._look = asyncio.create_task(self._look_at_all(), name="health")
        if self._look is not None:
            await asyncio.wait({self._look}, timeout=patience.total_seconds())
        return [
            self._seen.get(name, Component(name=name, ok=False, detail="not known yet"))
            for name in self._probes
        ]

    async def close(self) -> None:
        """Stop looking."""
        if self._look is not None:
            self._look.cancel()
            await asyncio.gather(self._look, return_exceptions=True)

    def _is_fresh(self) -> bool:
        if self._looked_at is None:
            return False
        # An age below zero means that the clock was set back.
        return timedelta(0) <= self._now() - self._looked_at < self._fresh_for

    async def _look_at_all(self) -> None:
        try:
            await asyncio.gather(*(self._look_at(name) for name in self._probes))
        finally:
            self._looked_at = self._now()
            self._look = None

    async def _look_at(self, name: str) -> None:
        # Gathered, not caught: whatever a probe raises, /healthz must answer, or a bug in a
        # probe would restart every replica.
        [outcome] = await asyncio.gather(self._answer(name), return_exceptions=True)
        ok = isinstance(outcome, str)
        detail = " ".join(_detail(outcome, self._deadline).split())[:_LONGEST_DETAIL]
        before = self._seen.get(name)
        same = before is not None and before.ok is ok
        since = before.since if before is not None and same else self._now()
        self._seen[name] = Component(name=name, ok=ok, detail=detail, since=since)
        if not same:
            self._tell(name, outcome)

    async def _answer(self, name: str) -> str:
        async with asyncio.timeout(self._deadline.total_seconds()):
            return await self._probes[name]()

    def _tell(self, name: str, outcome: str | BaseException) -> None:
        if isinstance(outcome, str):
            logger.info("component_up", extra={"component": name, "detail": outcome})
        else:
            logger.warning(
                "component_down",
                extra={"component": name, "error": repr(outcome)},
                exc_info=None if isinstance(outcome, _EXPECTED) else outcome,
            )


def _detail(outcome: str | BaseException, deadline: timedelta) -> str:
    match outcome:
        case str():
            return outcome
        case LycatraError():
            return outcome.user_message
        case TimeoutError():
            return f"no answer within {deadline.total_seconds():g} s"
        case aiohttp.ClientError() | OSError():
            return "cannot be reached"
        case _:
            return "could not be checked; the log says why"


class Readiness:
    """Whether this replica may be given work: started, not draining, and its database is well.

    The model and the homeserver do not count: without them there still is something to keep.
    """

    def __init__(self, board: HealthBoard, needs: Sequence[str] = ("database",)) -> None:
        self._board = board
        self._needs = frozenset(needs)
        self._started = False
        self._draining = False
        self._refused: str | None = None

    def start(self) -> None:
        """Everything is set up."""
        self._started = True

    def drain(self) -> None:
        """No more work, please; there is no way back."""
        self._draining = True

    def refuse(self, why: str | None) -> None:
        """Not ready for a reason that lasts, such as a schema that a newer program changed."""
        self._refused = why

    async def reasons(self, patience: timedelta) -> Sequence[str]:
        """Why not, in words for the operator; empty when ready."""
        reasons = [] if self._started else ["still starting"]
        if self._draining:
            reasons.append("shutting down")
        if self._refused is not None:
            reasons.append(self._refused)
        unwell = [part for part in await self._board.components(patience) if not part.ok]
        needed = [f"{part.name}: {part.detail}" for part in unwell if part.name in self._needs]
        return [*reasons, *needed]
