"""Claiming lanes, taking their heads and closing turns. Each method is one transaction."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Dialect, Statements
from lycatra_appservice.model import LaneKind, Outgoing
from lycatra_appservice.turns.parking import Parking
from lycatra_appservice.turns.records import (
    CANCELLED,
    JOURNAL_MAX,
    JOURNAL_MIN,
    MAX_FAILURES,
    ORPHANED,
    TURN_CHANNEL,
    CancelledByPersonError,
    LaneLostError,
    Lease,
    OpenSend,
    StoredTurn,
    is_open,
    send_of,
    send_parameters,
    turn_of,
)

# How long a turn waits for a replica that can replay it, before it ends with a sentence.
_JOURNAL_PATIENCE: Final = timedelta(seconds=60)


def milliseconds(span: timedelta) -> int:
    """Whole milliseconds of a span, as the database counts."""
    return round(span.total_seconds() * 1000)


def list_parameter(values: Sequence[str], dialect: Dialect) -> object:
    """Make a list for a statement: an array on Postgres, JSON on SQLite."""
    return json.dumps(values) if dialect is Dialect.SQLITE else list(values)


class TurnStore:
    """The turns and lanes as one worker sees them; `owner` is unique per process start.

    Every method that takes a Lease raises LaneLostError, and has written nothing, when the lane
    belongs to another worker by now.
    """

    def __init__(self, database: Database, owner: str, lease: timedelta) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "turns", database.dialect)
        self._owner = owner
        self._lease_ms = milliseconds(lease)
        self._parking = Parking(database)

    @property
    def owner(self) -> str:
        """Who claims."""
        return self._owner

    async def ready_kinds(self) -> Sequence[LaneKind]:
        """Which kinds have a lane to claim now."""
        rows = await self._database.fetch(self._sql["ready_kinds"])
        return [LaneKind(row["kind"]) for row in rows]

    async def claim(self, kind: LaneKind, free: int) -> Sequence[tuple[Lease, StoredTurn]]:
        """Take up to `free` ready lanes of a kind, longest ready first, with their heads."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                self._sql["claim"],
                owner=self._owner,
                lease_ms=self._lease_ms,
                kind=kind.value,
                free=free,
            )
            leases = {row["key"]: Lease(row["key"], kind, row["fence"]) for row in rows}
            heads = await self._take_heads(connection, sorted(leases)) if leases else []
            for lane in leases.keys() - {head.lane for head in heads}:
                await self._release(connection, leases[lane])
        return [(leases[head.lane], head) for head in heads]

    async def begin_sending(
        self,
        lease: Lease,
        turn: StoredTurn,
        first_n: int,
        outgoing: Sequence[Outgoing],
        *,
        error: str | None = None,
        failures: int | None = None,
    ) -> Sequence[OpenSend]:
        """Write the answer's rows and end the handler's work for good; return the open rows.

        Raises CancelledByPersonError, with nothing written, when the turn was taken back.
        """
        async with self._database.transaction() as connection:
            await self._lock(connection, lease)
            begun = await connection.fetch_one(
                self._sql["set_sending"],
                turn_id=turn.id,
                error=error,
                failures=turn.failures if failures is None else failures,
            )
            if not begun:
                await self._refuse_cancelled(connection, turn)
            new = set()
            for n, out in enumerate(outgoing if begun else (), start=first_n):
                if await connection.fetch_one(
                    self._sql["insert_send"], **send_parameters(turn, n, out)
                ):
                    new.add(n)
            rows = await connection.fetch(self._sql["load_sends"], turn_id=turn.id)
        return [OpenSend(send_of(row), row["n"] in new) for row in rows if is_open(row)]

    async def finish(
        self, lease: Lease, turn: StoredTurn, state: str, *, go_on: bool, error: str | None = None
    ) -> StoredTurn | None:
        """End a turn as `done`, `failed` or `cancelled`; return the lane's next head.

        None: the lane is released, because it has no head that could run now, or because
        `go_on` is False. Safe to repeat when the answer of the first try was lost.
        """
        async with self._database.transaction() as connection:
            await self._lock(connection, lease)
            await connection.fetch_one(
                self._sql["set_ended"],
                turn_id=turn.id,
                state=state,
                error=error,
                forget=int(lease.kind is LaneKind.CONTROL),
            )
            if state == "cancelled":
                await self._drop_unsent(connection, turn.id)
            if lease.kind in (LaneKind.ASK, LaneKind.BACKGROUND):
                await self._hasten_draft_end(connection, turn.id)
            heads = await self._take_heads(connection, [lease.lane]) if go_on else []
            if not heads:
                await self._release(connection, lease)
        return heads[0] if heads else None

    async def leave_waiting(
        self, lease: Lease, turn: StoredTurn, *, go_on: bool
    ) -> StoredTurn | None:
        """Leave a turn whose card is out, or never will be; return the lane's next head.

        That may be the same turn, if it was decided about meanwhile.
        """
        async with self._database.transaction() as connection:
            await self._lock(connection, lease)
            await self._parking.withdraw_unshown(connection, turn)
            heads = await self._take_heads(connection, [lease.lane]) if go_on else []
            if not heads:
                await self._release(connection, lease)
        return heads[0] if heads else None

    async def leave_moved(self, lease: Lease, *, go_on: bool) -> StoredTurn | None:
        """Leave a turn that is in another lane by now; return the next head of this one."""
        async with self._database.transaction() as connection:
            await self._lock(connection, lease)
            heads = await self._take_heads(connection, [lease.lane]) if go_on else []
            if not heads:
                await self._release(connection, lease)
        return heads[0] if heads else None

    async def put_back(
        self,
        lease: Lease,
        turn: StoredTurn,
        delay: timedelta,
        *,
        failed: bool,
        error: str | None = None,
    ) -> None:
        """Let the turn be tried again after `delay` and release its lane; it stays the head."""
        async with self._database.transaction() as connection:
            await self._lock(connection, lease)
            await connection.fetch_one(
                self._sql["retry_turn"],
                turn_id=turn.id,
                delay_ms=milliseconds(delay),
                failed=int(failed),
                error=error,
            )
            await self._release(connection, lease)
            if not delay:
                await connection.notify(TURN_CHANNEL)

    async def _lock(self, connection: Connection, lease: Lease) -> None:
        # A statement of its own: what follows then sees every turn committed before the lock.
        held = await connection.fetch_one(
            self._sql["lock_lane"], lane=lease.lane, owner=self._owner, fence=lease.fence
        )
        if held is None:
            raise LaneLostError(f"lane {lease.lane!r} is no longer ours (fence {lease.fence})")

    async def _drop_unsent(self, connection: Connection, turn_id: int) -> None:
        await connection.execute(self._sql["drop_unsent"], turn_id=turn_id, why=CANCELLED)

    async def _hasten_draft_end(self, connection: Connection, turn_id: int) -> None:
        """Have the turn look now that says a draft's last word, if the answer has not."""
        ends = await connection.fetch(self._sql["draft_ends"], turn_id=turn_id)
        for end in ends:  # lane before turn, as everywhere
            await connection.execute(
                self._sql["ready_lane"], key=end["lane"], kind=LaneKind.CONTROL.value
            )
            await connection.execute(self._sql["hasten"], turn_id=end["id"])
        if ends:
            await connection.notify(TURN_CHANNEL)

    async def _refuse_cancelled(self, connection: Connection, turn: StoredTurn) -> None:
        row = await connection.fetch_one(self._sql["is_cancel_requested"], turn_id=turn.id)
        if row and row["cancel_requested"]:
            raise CancelledByPersonError(f"turn {turn.trigger_id!r} was taken back")

    async def _take_heads(
        self, connection: Connection, lanes: Sequence[str]
    ) -> Sequence[StoredTurn]:
        rows = await connection.fetch(
            self._sql["take_heads"],
            lanes=self._list(lanes),
            owner=self._owner,
            journal_min=JOURNAL_MIN,
            journal_max=JOURNAL_MAX,
        )
        return [turn_of(row) for row in rows]

    async def _release(self, connection: Connection, lease: Lease) -> None:
        """Give the lane back, ready when its head is; never just drop it until its lease ends."""
        head = await connection.fetch_one(self._sql["head_of_lane"], lane=lease.lane)
        not_before_ms = 0
        if head and not _can_go_on(head):
            if not await self._somebody_can_replay(connection, head["journal_ver"]):
                await connection.execute(
                    self._sql["give_up_journal"],
                    turn_id=head["id"],
                    journal_ver=JOURNAL_MAX,
                    error=ORPHANED,
                    failures=MAX_FAILURES,
                )
            else:
                not_before_ms = 1000
        await connection.execute(
            self._sql["release_lane"],
            lane=lease.lane,
            owner=self._owner,
            fence=lease.fence,
            not_before_ms=not_before_ms,
        )

    async def _somebody_can_replay(self, connection: Connection, journal_ver: int) -> bool:
        row = await connection.fetch_one(
            self._sql["replica_for_journal"],
            journal_ver=journal_ver,
            silence_ms=milliseconds(_JOURNAL_PATIENCE),
        )
        return row is not None

    def _list(self, values: Sequence[str]) -> object:
        return list_parameter(values, self._database.dialect)


def _can_go_on(head: Row) -> bool:
    # What is left of a sending turn are rows, which every version understands.
    version = head["journal_ver"]
    if head["state"] in ("sending", "waiting") or version is None:
        return True
    return bool(JOURNAL_MIN <= version <= JOURNAL_MAX)
