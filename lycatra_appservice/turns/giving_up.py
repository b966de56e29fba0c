"""When a turn is given up, and the one line that then says so."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from lycatra_appservice.errors import (
    InterruptedByUpdateError,
    LycatraError,
    OutcomeUnknownError,
    StoreUnavailableError,
    TurnFailedError,
)
from lycatra_appservice.turns.records import (
    APOLOGY_N,
    MAX_FAILURES,
    MAX_STARTS,
    ORPHANED,
    CancelledByPersonError,
    LaneLostError,
    Lease,
    OpenSend,
    ParkedError,
    StoredStep,
    StoredTurn,
    cause_of,
)
from lycatra_appservice.turns.sending import SendLaterError
from lycatra_appservice.turns.store import TurnStore
from lycatra_appservice.turns.turn import TurnHandler

logger = logging.getLogger(__name__)

# What the engine itself raises through a handler: no failure of the handler's.
NOT_THE_HANDLERS: Final = (
    LaneLostError,
    SendLaterError,
    StoreUnavailableError,
    CancelledByPersonError,
    ParkedError,
)


class UnansweredError(Exception):
    """The handler gave no answer; `error` says why, `final` that it is not tried again."""

    def __init__(self, error: Exception, *, final: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.final = final


class _SpeechlessError(Exception):
    """The handler could not even apologise."""


def expect_worth_trying(turn: StoredTurn, steps: Mapping[str, StoredStep]) -> None:
    """Raise UnansweredError for a turn that was tried as often as it may be."""
    if turn.failures >= MAX_FAILURES or turn.starts > MAX_STARTS:
        raise UnansweredError(_why_given_up(turn, steps), final=True)


def is_last_try(turn: StoredTurn) -> bool:
    """Whether a failure of this run is the last one."""
    return turn.failures + 1 >= MAX_FAILURES


class Apologies:
    """Ends the handler's work on a turn with one line instead of an answer."""

    def __init__(self, store: TurnStore, handler: TurnHandler) -> None:
        self._store = store
        self._handler = handler

    async def begin(self, lease: Lease, turn: StoredTurn, error: Exception) -> Sequence[OpenSend]:
        """Write the apology's rows and return what there is to send."""
        shown = (
            error if isinstance(error, LycatraError) else TurnFailedError(turn.trigger_id[-12:])
        )
        try:
            return await self._begin(lease, turn, error, shown)
        except _SpeechlessError as speechless:
            # A turn that cannot even be apologised for must not hold its lane for ever.
            logger.exception("apology_broke", exc_info=speechless)
            return await self._begin(lease, turn, error, None)

    async def _begin(
        self, lease: Lease, turn: StoredTurn, error: Exception, shown: LycatraError | None
    ) -> Sequence[OpenSend]:
        try:
            words = await self._handler.apologise(turn, shown) if shown else ()
            return await self._store.begin_sending(
                lease,
                turn,
                turn.first_n + APOLOGY_N,
                words,
                error=cause_of(error),
                failures=MAX_FAILURES,
            )
        except NOT_THE_HANDLERS:
            raise
        except Exception as broken:
            raise _SpeechlessError(turn.trigger_id) from broken


def _why_given_up(turn: StoredTurn, steps: Mapping[str, StoredStep]) -> LycatraError:
    if any(not step.done for step in steps.values()):
        return OutcomeUnknownError(f"turn {turn.trigger_id!r} had started a change")
    if turn.error == ORPHANED:
        return InterruptedByUpdateError(f"turn {turn.trigger_id!r} has a foreign journal")
    return TurnFailedError(turn.trigger_id[-12:])
