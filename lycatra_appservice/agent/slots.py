"""The places of this process at models that take only so many requests at a time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Final, Protocol

from lycatra_appservice.agent.backend import ModelQueueFullError
from lycatra_appservice.agent.model_wait import MODEL_CHANNEL, Limit, Standing, WaitStore
from lycatra_appservice.agent.ports import HearerPort, SlotsPort
from lycatra_appservice.db.connection import Signals
from lycatra_appservice.db.transactions import settle
from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.model import UserID

logger = logging.getLogger(__name__)

_NOBODY: Final = 0  # no request has this id


class WaitObserver(Protocol):
    """Where the figures of waiting go; `backend` is the operator's name of the model."""

    def model_waited(self, backend: str, seconds: float) -> None:
        """A request has got its place after so long."""

    def model_waiting(self, backend: str, requests: int) -> None:
        """So many requests of this process wait now."""

    def model_refused(self, backend: str) -> None:
        """A request was refused, because too many wait."""

    def model_wait_expired(self, backend: str, requests: int) -> None:
        """Requests of replicas that are gone were dropped."""


class _Request:
    """One request from its wish for a place to its end."""

    def __init__(self, limit: Limit, person: UserID, hearer: HearerPort) -> None:
        self.limit = limit
        self.person = person
        self.hearer = hearer
        self.id = _NOBODY
        self.sure_until = 0.0  # by our clock; after that others may have taken the place
        self.may_begin = asyncio.Event()
        self.is_over = False
        self._ahead: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it still has to."""
        return not self.may_begin.is_set() and not self.is_over

    def stands(self, standing: Standing) -> None:
        """Let it begin, or tell who waits what has changed."""
        if standing.is_running:
            self.may_begin.set()
        elif self.waits and standing.ahead != self._ahead:
            self._ahead = standing.ahead
            self.hearer.waits(standing.ahead)


class ModelSlots:
    """All requests of this process to models with a limit. No connection is held meanwhile.

    A place that was given is told of by a notification. `renew` has to be called every second or
    so: it keeps the places, and finds what no notification told.
    """

    def __init__(
        self,
        store: WaitStore,
        signals: Signals,
        observer: WaitObserver,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._observer = observer
        self._lease = store.lease.total_seconds()
        self._clock = clock
        self._requests: dict[int, _Request] = {}
        self._left: dict[int, Limit] = {}  # given up while the database was away
        self._entering = 0
        self._early: set[int] = set()  # places that were given before we knew our request's id
        signals.listen(MODEL_CHANNEL, self._on_granted)

    def of(self, limit: Limit) -> SlotsPort:
        """The places of one model."""
        return _SlotsOfModel(self, limit)

    @asynccontextmanager
    async def held(
        self, limit: Limit, person: UserID, hearer: HearerPort, *, begun: bool
    ) -> AsyncIterator[None]:
        """See `SlotsPort.held`. Raises StoreUnavailableError while there is no database."""
        request = _Request(limit, person, hearer)
        began = self._clock()
        try:
            # Settled: of a request that is cut off here nobody would know that it has a place.
            await settle(self._enter(request, begun=begun))
            await request.may_begin.wait()
            self._observer.model_waited(limit.model, self._clock() - began)
            self._count(limit)
            yield
        finally:
            request.is_over = True
            await settle(self._leave(request))

    async def renew(self) -> None:
        """Keep what this process has; costs nothing while it has nothing.

        Raises StoreUnavailableError when nothing could be renewed.
        """
        await self._leave_left()
        asked = dict(self._requests)
        if not asked:
            return
        sure_until = self._clock() + self._lease
        renewed = await self._store.renew(list(asked))
        for number, request in asked.items():
            if number in renewed:
                request.sure_until = sure_until
            elif number in self._requests:
                await self._lost(number, request)
        for limit in {each.limit for each in self._requests.values() if each.waits}:
            await self._look_after(limit)

    def _on_granted(self, hint: str) -> None:
        for number in hint.split():
            self._granted(int(number))

    def _granted(self, number: int) -> None:
        request = self._requests.get(number)
        if request is None:
            if self._entering:
                self._early.add(number)
            return
        # Else we may have been frozen since, and the place be somebody else's by now.
        if self._clock() < request.sure_until:
            request.stands(Standing(is_running=True))

    async def _enter(self, request: _Request, *, begun: bool) -> None:
        limit = request.limit
        request.sure_until = self._clock() + self._lease
        self._entering += 1
        try:
            request.id, standing = await self._store.enter(limit, request.person, begun=begun)
            self._requests[request.id] = request
            if request.id in self._early:
                standing = Standing(is_running=True)
        except ModelQueueFullError:
            self._observer.model_refused(limit.model)
            raise
        finally:
            self._entering -= 1
            if not self._entering:
                self._early.clear()
        if request.is_over:  # it was given up while it got in line once more
            await self._leave(request)
            return
        request.stands(standing)
        self._count(limit)

    async def _leave(self, request: _Request) -> None:
        if self._requests.pop(request.id, None) is None:
            return
        self._count(request.limit)
        await self._free(request.id, request.limit)

    async def _free(self, number: int, limit: Limit) -> None:
        try:
            granted = await self._store.leave(limit, number)
        except StoreUnavailableError as error:
            # The answer is not lost over it; without this the place would end with its lease.
            logger.warning("model_place_kept", extra={"model": limit.model, "error": str(error)})
            self._left[number] = limit
            return
        for each in granted:
            self._granted(each)

    async def _leave_left(self) -> None:
        left, self._left = self._left, {}
        for number, limit in left.items():
            await self._free(number, limit)

    async def _lost(self, number: int, request: _Request) -> None:
        """Others hold us for dead, and have dropped the request."""
        logger.warning("model_place_lost", extra={"model": request.limit.model})
        del self._requests[number]
        if request.waits:
            try:
                await self._enter(request, begun=True)
            except StoreUnavailableError:
                self._requests[number] = request  # so that the next beat looks for it again
                raise

    async def _look_after(self, limit: Limit) -> None:
        try:
            standings, dropped = await self._store.look_after(limit)
        except StoreUnavailableError as error:
            # What we have is renewed; this is only for the places of others.
            logger.warning("model_unattended", extra={"model": limit.model, "error": str(error)})
            return
        if dropped:
            logger.warning("model_wait_expired", extra={"model": limit.model, "places": dropped})
            self._observer.model_wait_expired(limit.model, dropped)
        for number, standing in standings.items():
            if number in self._requests:
                self._requests[number].stands(standing)

    def _count(self, limit: Limit) -> None:
        waiting = sum(each.waits for each in self._requests.values() if each.limit == limit)
        self._observer.model_waiting(limit.model, waiting)


class _SlotsOfModel:
    """See SlotsPort."""

    def __init__(self, slots: ModelSlots, limit: Limit) -> None:
        self._slots = slots
        self._limit = limit

    def held(
        self, person: UserID, hearer: HearerPort, *, begun: bool
    ) -> AbstractAsyncContextManager[None]:
        """See `SlotsPort.held`."""
        return self._slots.held(self._limit, person, hearer, begun=begun)
