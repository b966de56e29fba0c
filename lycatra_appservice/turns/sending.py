"""The last phase of a turn: its open rows go out in order, and the lane always goes on."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Protocol, assert_never

from lycatra_appservice.errors import LycatraError, StoreUnavailableError
from lycatra_appservice.model import SendKind
from lycatra_appservice.turns.delivery import (
    Amended,
    Delivered,
    Deliverer,
    Delivery,
    Dropped,
    RetryLater,
    RoomLost,
    SendRow,
)
from lycatra_appservice.turns.journal import Journal
from lycatra_appservice.turns.records import Lease, OpenSend, StoredTurn

logger = logging.getLogger(__name__)

_MAX_AMENDMENTS: Final = 3
_MAX_JOINS: Final = 5
_MAX_BROKEN: Final = 4  # tries of a row that makes its deliverer raise; then the lane goes on
_FIRST_DELAY: Final = timedelta(milliseconds=250)
_LONGEST_DELAY: Final = timedelta(seconds=4)  # so that a homeserver that is back is not waited for


class SendLaterError(LycatraError):
    """A row cannot be sent now; the turn is put back and tried after `delay`.

    `was_refused`: it surely is not in its room.
    """

    retryable = True

    def __init__(self, delay: timedelta, why: str, *, was_refused: bool = False) -> None:
        super().__init__(why)
        self.delay = delay
        self.was_refused = was_refused


class AwaitedError(SendLaterError):
    """Something else has to end first: nothing is wrong, and the turn is tried after `delay`."""


class BrokenRowError(LycatraError):
    """A row that makes its deliverer raise: a bug. It is tried a few times, then dropped."""


class SendObserver(Protocol):
    """Where the figures of sending go."""

    def resend_found(self) -> None:
        """A row whose fate was unknown is in its room already."""

    def row_sent(self, kind: SendKind) -> None:
        """A row has gone out, or was there already."""

    def row_put_off(self, reason: str) -> None:
        """A row cannot be sent now: `rate_limit` or `unavailable`."""

    def row_dropped(self, reason: str) -> None:
        """A row will never be sent: `refused` or `room_lost`."""


class Sending:
    """Delivers rows and keeps what became of them. Raises SendLaterError and LaneLostError."""

    def __init__(self, journal: Journal, deliverer: Deliverer, observer: SendObserver) -> None:
        self._journal = journal
        self._deliverer = deliverer
        self._observer = observer

    async def send_all(self, lease: Lease, turn: StoredTurn, pending: Sequence[OpenSend]) -> None:
        """Send open rows in order. One that is not new may have gone out: it is looked for."""
        lost_rooms = set()
        for sendable in pending:
            if sendable.row.room_id in lost_rooms:
                continue
            row = await self._with_target(sendable.row)
            outcome = await self._send(lease, turn, row, look_first=not sendable.is_new)
            if isinstance(outcome, RoomLost):
                lost_rooms.add(row.room_id)

    async def send_now(self, lease: Lease, turn: StoredTurn, pending: OpenSend) -> None:
        """Send one row while the handler still runs."""
        await self._send(lease, turn, pending.row, look_first=not pending.is_new)

    async def try_now(self, lease: Lease, turn: StoredTurn, pending: OpenSend) -> bool:
        """Send one row that nobody misses; whether it is in its room now.

        What the homeserver refuses for now is dropped, so that nothing waits for it, and
        SendLaterError says when something newer may be tried.
        """
        try:
            outcome = await self._send(lease, turn, pending.row, look_first=not pending.is_new)
        except SendLaterError as later:
            if later.was_refused:
                await self._journal.drop(lease, pending.row, f"left out: {later}")
            raise
        return isinstance(outcome, Delivered)

    async def _with_target(self, row: SendRow) -> SendRow:
        """Read the row again when it names an earlier one, whose event id is known only now."""
        if row.target is not None or row.target_n is None:
            return row
        return await self._journal.send_row(row.turn_id, row.n)

    async def _send(
        self, lease: Lease, turn: StoredTurn, row: SendRow, *, look_first: bool
    ) -> Delivered | Dropped | RoomLost:
        for _ in range(_MAX_AMENDMENTS + 1):
            try:
                outcome = await self._deliver(row, look_first=look_first or row.attempt > 0)
            except BrokenRowError as error:
                logger.exception("send_broke", extra={"n": row.n, "room_id": row.room_id})
                outcome = _after_break(row, error)
            if not isinstance(outcome, Amended):
                return await self._keep(lease, row, _unless_hopeless(row, outcome))
            logger.info("send_amended", extra={"why": outcome.why, "n": row.n})
            row = await self._journal.amend(lease, turn, row, outcome)
        return await self._keep(lease, row, Dropped("no form of it was accepted"))

    async def _deliver(self, row: SendRow, *, look_first: bool) -> Delivery:
        try:
            return await self._deliverer.deliver(row, look_first=look_first)
        except StoreUnavailableError:
            raise
        except Exception as error:
            raise BrokenRowError(f"row {row.n} made its deliverer raise") from error

    async def _keep(
        self, lease: Lease, row: SendRow, outcome: Delivery
    ) -> Delivered | Dropped | RoomLost:
        match outcome:
            case Delivered():
                self._observer.row_sent(row.kind)
                if outcome.was_there:
                    self._observer.resend_found()
                await self._journal.mark_sent(lease, row, outcome)
            case Dropped(why):
                self._observer.row_dropped("refused")
                logger.warning("send_dropped", extra={"why": why, "room_id": row.room_id})
                await self._journal.drop(lease, row, why)
            case RoomLost(why):
                self._observer.row_dropped("room_lost")
                logger.warning("room_lost", extra={"why": why, "room_id": row.room_id})
                await self._journal.drop_room(lease, row, why)
            case RetryLater(after, why, mxc, was_refused):
                self._observer.row_put_off("rate_limit" if was_refused else "unavailable")
                if mxc is not None:
                    await self._journal.keep_mxc(lease, row, mxc)
                await self._journal.count_attempt(lease, row)
                delay = after or _back_off(row.attempt)
                raise SendLaterError(delay, why, was_refused=was_refused)
            case Amended():
                raise AssertionError("an amended row is sent again, not kept")
            case _:
                assert_never(outcome)
        return outcome


def _unless_hopeless(row: SendRow, outcome: Delivery) -> Delivery:
    """Give a join up after some tries: each may hang for minutes, and others wait behind it."""
    hopeless = row.kind is SendKind.JOIN and row.attempt >= _MAX_JOINS
    if hopeless and isinstance(outcome, RetryLater):
        return Dropped(f"given up: {outcome.why}")
    return outcome


def _after_break(row: SendRow, error: BrokenRowError) -> Delivery:
    return Dropped(str(error)) if row.attempt >= _MAX_BROKEN else RetryLater(None, str(error))


def _back_off(attempt: int) -> timedelta:
    doublings: int = 2 ** min(attempt, 10)
    return min(_FIRST_DELAY * doublings, _LONGEST_DELAY)
