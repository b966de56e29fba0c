"""Running one turn: handler, answer rows, sending, end; and every way in which that can fail."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Final, Protocol, TypeVar

from lycatra_appservice.errors import LycatraError, StoreUnavailableError
from lycatra_appservice.model import LaneKind, Outgoing
from lycatra_appservice.turns.deadline import Deadline
from lycatra_appservice.turns.giving_up import (
    NOT_THE_HANDLERS,
    Apologies,
    UnansweredError,
    expect_worth_trying,
    is_last_try,
)
from lycatra_appservice.turns.journal import Journal
from lycatra_appservice.turns.records import (
    CancelledByPersonError,
    LaneLostError,
    Lease,
    MovedError,
    OpenSend,
    ParkedError,
    StoredTurn,
    cause_of,
)
from lycatra_appservice.turns.sending import AwaitedError, Sending, SendLaterError
from lycatra_appservice.turns.store import TurnStore
from lycatra_appservice.turns.turn import Turn, TurnHandler

logger = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")

# How long one run of a handler may take. The agent ends itself earlier, with a sentence. All are
# longer than one call to a homeserver that hangs, which then is waited for: it is not the
# handler's failure, and the third of those would lose an edit or a redaction.
DEADLINES: Final[Mapping[LaneKind, timedelta]] = {
    LaneKind.CONTROL: timedelta(seconds=45),
    LaneKind.COMMAND: timedelta(seconds=60),
    LaneKind.ASK: timedelta(seconds=360),
    LaneKind.JOB: timedelta(minutes=30),
    LaneKind.BACKGROUND: timedelta(hours=3),
}
_AFTER_THE_AGENT: Final = timedelta(seconds=60)  # to find other words, and to write them down
FIRST_RETRY: Final = timedelta(seconds=1)  # doubled with each failure
_STORE_RETRY: Final = timedelta(milliseconds=100)  # a turn that always fails so must not spin
_FIRST_STORE_PAUSE_S: Final = 0.1
_LONGEST_STORE_PAUSE_S: Final = 2.0


def deadlines_beyond(patience: timedelta) -> Mapping[LaneKind, timedelta]:
    """Those above, where the agent ends itself after `patience`, however long that is."""
    longest = max(DEADLINES[LaneKind.ASK], patience + _AFTER_THE_AGENT)
    return {**DEADLINES, LaneKind.ASK: longest}


class TurnObserver(Protocol):
    """Where the figures of turns go."""

    def turn_started(self, kind: LaneKind, waited: timedelta) -> None:
        """A handler starts; `waited` since the turn was stored."""

    def turn_ended(self, kind: LaneKind, outcome: str, took: timedelta) -> None:
        """Outcomes: done, failed, cancelled.

        Of a turn that has not ended: waiting, moved, retried, send_later, handed_over, lost.
        """


class TurnRunner:
    """Runs claimed turns to their end. Raises nothing but CancelledError."""

    def __init__(
        self,
        store: TurnStore,
        journal: Journal,
        sending: Sending,
        handler: TurnHandler,
        observer: TurnObserver,
        deadlines: Mapping[LaneKind, timedelta] = DEADLINES,
        first_retry: timedelta = FIRST_RETRY,
    ) -> None:
        self._store = store
        self._journal = journal
        self._sending = sending
        self._handler = handler
        self._apologies = Apologies(store, handler)
        self._observer = observer
        self._deadlines = deadlines
        self._first_retry = first_retry
        self.draining = False

    async def run(self, lease: Lease, turn: StoredTurn, *, go_on: bool) -> StoredTurn | None:
        """Run a claimed turn; return the lane's next head, or None when the lane is given back.

        A cancelled run leaves everything as it stands: `end_cancelled` or `hand_over` follows,
        or nothing when the lane is lost.
        """
        began = monotonic()
        following: StoredTurn | None = None
        try:
            if turn.state == "running":
                self._observer.turn_started(lease.kind, turn.waited)
            outcome, following = await self._to_its_end(lease, turn, go_on=go_on)
        except LaneLostError as error:
            outcome = "lost"
            logger.warning("lane_lost", extra={"lane": lease.lane, "error": str(error)})
        except SendLaterError as later:
            outcome = "send_later"
            logger.log(
                logging.DEBUG if isinstance(later, AwaitedError) else logging.WARNING,
                "send_later",
                extra={"why": str(later), "delay_s": later.delay.total_seconds()},
            )
            await self._put_back(lease, turn, later.delay)
        except StoreUnavailableError as error:
            outcome = "retried"
            logger.warning("turn_without_store", extra={"error": str(error)})
            await self._put_back(lease, turn, _STORE_RETRY)
        except Exception as error:
            # Outside every handler: a row of another version, for example. It must not be taken
            # up again and again for ever, with all that waits behind it.
            logger.exception("turn_unusable")
            outcome = "failed"
            following = await self._give_up(lease, turn, error, go_on=go_on)
        self._account(lease, turn, outcome, timedelta(seconds=monotonic() - began))
        return following

    async def end_cancelled(
        self, lease: Lease, turn: StoredTurn, took: timedelta, *, go_on: bool
    ) -> StoredTurn | None:
        """End a turn that its person took back while it ran."""
        following = await self._until_store_answers(
            lambda: self._store.finish(lease, turn, "cancelled", go_on=self._may(go_on=go_on))
        )
        self._account(lease, turn, "cancelled", took)
        return following

    async def hand_over(self, lease: Lease, turn: StoredTurn, took: timedelta) -> None:
        """Give an interrupted turn and its lane to whoever comes next, without counting it."""
        await self._put_back(lease, turn, timedelta(0))
        self._account(lease, turn, "handed_over", took)

    async def _to_its_end(
        self, lease: Lease, turn: StoredTurn, *, go_on: bool
    ) -> tuple[str, StoredTurn | None]:
        error: str | None = None
        try:
            pending, error = await self._what_to_send(lease, turn)
            await self._sending.send_all(lease, turn, pending)
            state = "failed" if error else "done"
        except MovedError:
            return "moved", await self._store.leave_moved(lease, go_on=self._may(go_on=go_on))
        except ParkedError as parked:
            return "waiting", await self._show_card(lease, turn, parked.first_n, go_on=go_on)
        except CancelledByPersonError:
            state = "cancelled"
        except UnansweredError as unanswered:
            await self._retry(lease, turn, unanswered.error)
            return "retried", None
        following = await self._store.finish(
            lease, turn, state, go_on=self._may(go_on=go_on), error=error
        )
        return state, following

    async def _show_card(
        self, lease: Lease, turn: StoredTurn, new_from: int | None, *, go_on: bool
    ) -> StoredTurn | None:
        """Send what a waiting turn has written, and let the next one have the lane."""
        pending = [
            OpenSend(each.row, is_new=new_from is not None and each.row.n >= new_from)
            for each in await self._journal.open_sends(turn)
        ]
        await self._sending.send_all(lease, turn, pending)
        return await self._store.leave_waiting(lease, turn, go_on=self._may(go_on=go_on))

    async def _what_to_send(
        self, lease: Lease, turn: StoredTurn
    ) -> tuple[Sequence[OpenSend], str | None]:
        """Return the open rows and, for an apology, what it is about."""
        if turn.cancel_requested:
            raise CancelledByPersonError("taken back before it was taken up")
        if turn.state == "waiting":
            raise ParkedError("its card is not out yet")
        if turn.state == "sending":
            return await self._journal.open_sends(turn), turn.error
        try:
            return await self._handle(lease, turn), None
        except UnansweredError as unanswered:
            if not unanswered.final:
                raise
            pending = await self._apologies.begin(lease, turn, unanswered.error)
            return pending, cause_of(unanswered.error)

    async def _give_up(
        self, lease: Lease, turn: StoredTurn, error: Exception, *, go_on: bool
    ) -> StoredTurn | None:
        if not is_last_try(turn):
            await self._until_store_answers(lambda: self._retry(lease, turn, error))
            return None
        return await self._until_store_answers(
            lambda: self._store.finish(
                lease, turn, "failed", go_on=self._may(go_on=go_on), error=cause_of(error)
            )
        )

    async def _handle(self, lease: Lease, turn: StoredTurn) -> Sequence[OpenSend]:
        steps = await self._journal.steps(turn) if turn.journaled else {}
        expect_worth_trying(turn, steps)
        approvals = await self._journal.approvals(turn)
        deadline = Deadline(self._deadlines[lease.kind])
        running = Turn(turn, lease, self._journal, self._sending, steps, approvals, deadline)
        last_try = is_last_try(turn)
        try:
            async with deadline:
                outgoing = await self._handler.handle(running)
            return await self._begin_sending(lease, turn, running.next_n, outgoing)
        except NOT_THE_HANDLERS:
            raise
        except LycatraError as error:
            if error.outlasted:
                raise SendLaterError(self._first_retry, str(error)) from error
            logger.warning("turn_refused", extra={"error": repr(error)}, exc_info=error)
            raise UnansweredError(error, final=last_try or not error.retryable) from error
        except TimeoutError as error:
            logger.warning("turn_timed_out", extra={"kind": lease.kind})
            raise UnansweredError(error, final=last_try) from error
        except Exception as error:
            logger.exception("turn_broke")
            raise UnansweredError(error, final=last_try) from error

    async def _begin_sending(
        self, lease: Lease, turn: StoredTurn, first_n: int, outgoing: Sequence[Outgoing]
    ) -> Sequence[OpenSend]:
        if not outgoing:
            return ()
        return await self._store.begin_sending(lease, turn, first_n, outgoing)

    async def _retry(self, lease: Lease, turn: StoredTurn, error: Exception) -> None:
        # It blocks its lane meanwhile, on purpose: answers come in the order asked.
        delay = self._first_retry * 2**turn.failures
        await self._store.put_back(lease, turn, delay, failed=True, error=cause_of(error))

    async def _put_back(self, lease: Lease, turn: StoredTurn, delay: timedelta) -> None:
        await self._until_store_answers(
            lambda: self._store.put_back(lease, turn, delay, failed=False)
        )

    async def _until_store_answers(self, run: Callable[[], Awaitable[AnswerT]]) -> AnswerT | None:
        """Try until the database is back; None when the lane was lost meanwhile."""
        pause = _FIRST_STORE_PAUSE_S
        while True:
            try:
                return await run()
            except LaneLostError:
                return None
            except StoreUnavailableError:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_STORE_PAUSE_S)

    def _may(self, *, go_on: bool) -> bool:
        return go_on and not self.draining

    def _account(self, lease: Lease, turn: StoredTurn, outcome: str, took: timedelta) -> None:
        self._observer.turn_ended(lease.kind, outcome, took)
        logger.info(
            "turn_done" if outcome in ("done", "failed", "cancelled") else "turn_paused",
            extra={
                "trigger_id": turn.trigger_id,
                "kind": lease.kind,
                "outcome": outcome,
                "queue_ms": round(turn.waited.total_seconds() * 1000),
                "total_ms": round(took.total_seconds() * 1000),
                "starts": turn.starts,
            },
        )
