"""Second thoughts of people: a question is taken back, or gets other words."""

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Final, Protocol

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.turns.approvals import Withdrawal
from lycatra_appservice.turns.deciding import Deciding
from lycatra_appservice.turns.held import HeldTurns
from lycatra_appservice.turns.records import (
    ASKED_ANEW,
    CANCEL_CHANNEL,
    CANCELLED,
    TURN_CHANNEL,
    Trigger,
    kind_of_lane,
    taken_from_worker,
)


class Replaced(StrEnum):
    """What became of new words for a question."""

    QUEUED = "queued"  # it had not begun
    RESTARTED = "restarted"  # it was running, and begins anew
    WITHDRAWN = "withdrawn"  # it waited for an approval, which is withdrawn, and begins anew
    REOPENED = "reopened"  # it had ended without a word, and is asked now
    AS_IT_WAS = "as_it_was"  # these are its words already
    CHANGE_STARTED = "change_started"  # too late: it may have changed the world
    ANSWERED = "answered"  # too late: its answer is written down, or out
    OVER = "over"  # it was cancelled, or ended without a word and stays so
    UNKNOWN = "unknown"  # nobody has stored it


_RENEWED: Final = frozenset(
    {Replaced.QUEUED, Replaced.RESTARTED, Replaced.WITHDRAWN, Replaced.REOPENED}
)


class Memory(Protocol):
    """What else is kept of what was said in a turn, for later turns to read."""

    async def remembers(self, trigger_id: str) -> bool:
        """Whether there is something of it."""

    async def forget_turn(self, connection: Connection, trigger_id: str) -> None:
        """Erase it, in this transaction."""


class Revisions:
    """Cancels turns, and gives them other words while it can be done.

    Whoever runs the turn at that moment, on this replica or another, loses its lane with the
    same commit: nothing of the old run is written any more, and nothing is left of it but what
    it had sent.
    """

    def __init__(self, database: Database, memories: Sequence[Memory] = ()) -> None:
        self._database = database
        self._memories = memories
        self._held = HeldTurns(database)
        self._deciding = Deciding(database)
        self._sql = Statements.load(__package__, "revisions", database.dialect)
        self._turns = Statements.load(__package__, "turns", database.dialect)

    async def cancel(self, trigger_id: str) -> bool:
        """Cancel a person's turn: at once while nobody works on it, else by asking to stop.

        What it waits for is withdrawn. False when there is none, when it has ended or been asked
        to stop before, or while it changes something: that is never broken off in the middle, and
        ends with its answer.
        """
        return await self._held.hold(trigger_id, self._cancel) or False

    async def is_changing(self, trigger_id: str) -> bool:
        """Whether a turn is changing something at this moment, and so cannot be cancelled."""

        async def look(_: Connection, turn: Row) -> bool:
            return turn["finished_at"] is None and bool(turn["changing"])

        return await self._held.hold(trigger_id, look) or False

    async def replace(self, trigger: Trigger, *, reopen: bool) -> Replaced:
        """Give a turn the input of `trigger`, and its lane, if it is not too late.

        What it had journaled is gone then, what it had not sent is dropped, and it keeps its
        place in the order. `reopen` also wakes one that has ended without a word. Doing the same
        again changes nothing.
        """
        outcome = await self._held.hold(
            trigger.id,
            partial(self._replace, trigger=trigger, reopen=reopen),
            and_lane=trigger.lane,
        )
        return Replaced.UNKNOWN if outcome is None else outcome

    async def _cancel(self, connection: Connection, turn: Row) -> bool:
        if turn["changing"]:
            return False
        if await connection.fetch_one(self._turns["cancel_queued"], turn_id=turn["id"]):
            await connection.execute(self._turns["drop_unsent"], turn_id=turn["id"], why=CANCELLED)
            await self._ready(connection, turn["lane"])  # it may have held others back
            await self._deciding.withdraw_of_turn(connection, turn["id"], Withdrawal.STOPPED)
            return True
        asked = await connection.fetch_one(self._turns["request_cancel"], turn_id=turn["id"])
        if asked:
            await connection.notify(CANCEL_CHANNEL, str(turn["id"]))
        return asked is not None and not turn["cancel_requested"]

    async def _replace(
        self, connection: Connection, turn: Row, *, trigger: Trigger, reopen: bool
    ) -> Replaced:
        outcome = _outcome_for(turn, trigger.input, reopen=reopen)
        if outcome in _RENEWED:
            await self._begin_anew(connection, turn, trigger)
        return outcome

    async def _begin_anew(self, connection: Connection, turn: Row, trigger: Trigger) -> None:
        turn_id, lane = turn["id"], turn["lane"]
        if turn["state"] == "running":
            taken = await connection.fetch_one(self._sql["take_lane"], lane=lane)
            fence = taken["fence"] if taken else 0
            await connection.notify(CANCEL_CHANNEL, taken_from_worker(lane, fence))
        await connection.execute(
            self._sql["begin_anew"], turn_id=turn_id, lane=trigger.lane, input=trigger.input
        )
        # After it: whoever was just adding to a memory has held the turn's row until it was done.
        for memory in self._memories:
            await memory.forget_turn(connection, trigger.id)
        await connection.execute(self._turns["forget_steps"], turn_id=turn_id)
        await connection.execute(self._turns["drop_unsent"], turn_id=turn_id, why=ASKED_ANEW)
        for key in sorted({lane, trigger.lane}):  # it may have held others back where it was
            await self._ready(connection, key)
        await self._deciding.withdraw_of_turn(connection, turn_id, Withdrawal.ASKED_ANEW)

    async def _ready(self, connection: Connection, lane: str) -> None:
        await connection.execute(
            self._turns["ready_lane"], key=lane, kind=kind_of_lane(lane).value
        )
        await connection.notify(TURN_CHANNEL)


def _outcome_for(turn: Row, new_input: str, *, reopen: bool) -> Replaced:
    if turn["input"] == new_input:
        return Replaced.AS_IT_WAS
    if turn["cancel_requested"] or turn["state"] == "cancelled":
        return Replaced.OVER
    if turn["changes"]:
        return Replaced.CHANGE_STARTED
    if turn["state"] == "queued":
        return Replaced.QUEUED
    if turn["state"] == "running":
        return Replaced.RESTARTED
    if turn["state"] == "waiting":
        return Replaced.WITHDRAWN
    if turn["state"] == "sending" or turn["said"]:
        return Replaced.ANSWERED
    return Replaced.REOPENED if reopen else Replaced.OVER
