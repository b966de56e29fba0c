"""The journal of running turns: their steps and the rows they send. Every write is fenced."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Dialect, Statements
from lycatra_appservice.model import JSON, Outgoing, SendKind
from lycatra_appservice.turns.approvals import Approval, NewApproval
from lycatra_appservice.turns.delivery import Amended, Delivered, SendRow
from lycatra_appservice.turns.parking import Parking
from lycatra_appservice.turns.records import (
    JOURNAL_MAX,
    TURN_CHANNEL,
    CancelledByPersonError,
    LaneLostError,
    Lease,
    OpenSend,
    StoredStep,
    StoredTurn,
    is_open,
    kind_of_lane,
    send_of,
    send_parameters,
    transaction_id,
)

# Writes more into the commit of a step or of a row; what it raises undoes both.
Beside: TypeAlias = Callable[[Connection], Awaitable[None]]


def hash_arguments(arguments: JSON) -> str:
    """Fingerprint of a step's arguments; equal values give equal hashes on every replica."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Journal:
    """Steps and send rows of the turns of one worker.

    Every writing method raises LaneLostError, and has written nothing, when the lane belongs to
    another worker by now.
    """

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "turns", database.dialect)
        self._owner = owner
        self._parking = Parking(database)

    @property
    def database(self) -> Database:
        """Where it stands."""
        return self._database

    async def steps(self, turn: StoredTurn) -> Mapping[str, StoredStep]:
        """What an earlier run of this turn has journaled, by name."""
        rows = await self._database.fetch(self._sql["load_steps"], turn_id=turn.id)
        return {
            row["name"]: StoredStep(
                row["name"],
                row["state"] == "done",
                row["args_hash"],
                json.loads(row["output"]) if row["output"] is not None else None,
            )
            for row in rows
        }

    async def record(
        self,
        lease: Lease,
        turn: StoredTurn,
        name: str,
        args_hash: str,
        *,
        done: bool,
        output: JSON,
        beside: Beside | None = None,
    ) -> None:
        """Journal a step as `started` or, with its output, as `done`.

        Only what changes the world is journaled as started, and from then on it counts as such.
        `beside` runs in the same transaction, before it.
        """
        parameters = {
            "turn_id": turn.id,
            "name": name,
            "state": "done" if done else "started",
            "args_hash": args_hash,
            "output": json.dumps(output) if done else None,
            "changes": int(not done),
        }
        if self._database.dialect is Dialect.POSTGRES and beside is None:
            row = await self._database.fetch_one(
                self._sql["journal"],
                journal_ver=JOURNAL_MAX,
                **self._fenced(lease),
                **parameters,
            )
        else:
            async with self._database.transaction() as connection:
                if beside is not None:
                    self._expect(await self._lock(connection, lease), lease)
                    await beside(connection)
                row = await self._record(connection, lease, turn, parameters)
        self._expect(row, lease)

    async def decide(
        self,
        lease: Lease,
        turn: StoredTurn,
        name: str,
        args_hash: str,
        run: Callable[[Connection], Awaitable[JSON]],
    ) -> JSON:
        """Journal as done what `run` finds in the very transaction that writes it down."""
        async with self._database.transaction() as connection:
            self._expect(await self._lock(connection, lease), lease)
            output = await run(connection)
            parameters = {
                "turn_id": turn.id,
                "name": name,
                "state": "done",
                "args_hash": args_hash,
                "output": json.dumps(output),
                "changes": 0,
            }
            self._expect(await self._record(connection, lease, turn, parameters), lease)
        return output

    async def _record(
        self,
        connection: Connection,
        lease: Lease,
        turn: StoredTurn,
        parameters: Mapping[str, object],
    ) -> Row | None:
        if self._database.dialect is Dialect.POSTGRES:
            return await connection.fetch_one(
                self._sql["journal"],
                journal_ver=JOURNAL_MAX,
                **self._fenced(lease),
                **parameters,
            )
        row = await connection.fetch_one(self._sql["journal"], **self._fenced(lease), **parameters)
        self._expect(row, lease)
        await connection.execute(
            self._sql["set_journal_version"], turn_id=turn.id, journal_ver=JOURNAL_MAX
        )
        return row

    async def approvals(self, turn: StoredTurn) -> Sequence[Approval]:
        """What this run has asked people before, the oldest first."""
        return await self._parking.approvals(turn) if turn.parks else ()

    async def park(
        self,
        lease: Lease,
        turn: StoredTurn,
        new: NewApproval,
        first_n: int,
        rows: Sequence[Outgoing],
    ) -> int:
        """Let a turn wait for an approval, whose card is among these rows; return its number.

        Raises CancelledByPersonError, with nothing written, when the turn was taken back.
        """
        async with self._database.transaction() as connection:
            self._expect(await self._lock(connection, lease), lease)
            return await self._parking.park(connection, turn, new, first_n, rows)

    async def move(self, lease: Lease, turn: StoredTurn, to_lane: str) -> None:
        """Let a turn go on in another lane. It leaves this one with the same commit.

        Raises CancelledByPersonError, with nothing written, when the turn was taken back.
        """
        async with self._database.transaction() as connection:
            self._expect(await self._lock(connection, lease), lease)
            # The lane before the turn, as everywhere.
            await connection.execute(
                self._sql["ready_lane"], key=to_lane, kind=kind_of_lane(to_lane).value
            )
            moved = await connection.fetch_one(
                self._sql["move_turn"], turn_id=turn.id, to_lane=to_lane
            )
            if moved is None:
                raise CancelledByPersonError(f"turn {turn.trigger_id!r} was taken back")
            await connection.notify(TURN_CHANNEL)

    async def use(self, connection: Connection, approval: Approval) -> None:
        """Use an approval up; to go beside the start of what it is for."""
        await self._parking.use(connection, approval)

    async def is_cancel_requested(self, turn: StoredTurn) -> bool:
        """Whether the person took it back; the notification of it may have been lost."""
        row = await self._database.fetch_one(self._sql["is_cancel_requested"], turn_id=turn.id)
        return row is not None and bool(row["cancel_requested"])

    async def open_sends(self, turn: StoredTurn) -> Sequence[OpenSend]:
        """The rows that an earlier run has left, in order of `n`."""
        rows = await self._database.fetch(self._sql["load_sends"], turn_id=turn.id)
        return [OpenSend(send_of(row), is_new=False) for row in rows if is_open(row)]

    async def send_row(self, turn_id: int, n: int) -> SendRow:
        """Read a row again: what it aims at may have got its event id meanwhile."""
        rows = await self._database.fetch(self._sql["load_sends"], turn_id=turn_id)
        return next(send_of(row) for row in rows if row["n"] == n)

    async def sent_event(self, turn: StoredTurn, n: int) -> str | None:
        """The event id of a row that was sent."""
        for row in await self._database.fetch(self._sql["load_sends"], turn_id=turn.id):
            if row["n"] == n:
                return str(row["event_id"]) if row["event_id"] else None
        return None

    async def write_send(
        self,
        lease: Lease,
        turn: StoredTurn,
        n: int,
        out: Outgoing,
        *,
        beside: Beside | None = None,
    ) -> OpenSend | None:
        """Write a row while the handler runs; an existing one stands. None when it is settled.

        `beside` runs in the same transaction.
        """
        async with self._database.transaction() as connection:
            self._expect(await self._lock(connection, lease), lease)
            if beside is not None:
                await beside(connection)
            new = await connection.fetch_one(
                self._sql["insert_send"], **send_parameters(turn, n, out)
            )
            rows = await connection.fetch(self._sql["load_sends"], turn_id=turn.id)
        row = next(row for row in rows if row["n"] == n)
        return OpenSend(send_of(row), is_new=new is not None) if is_open(row) else None

    async def mark_sent(self, lease: Lease, row: SendRow, result: Delivered) -> None:
        """Note that a row is in the room; of a card, also who has voted on it already."""
        values = {"event_id": result.event_id, "mxc": result.mxc}
        if row.kind is not SendKind.CARD or result.event_id is None:
            await self._fence("mark_sent", lease, row, **values)
            return
        async with self._database.transaction() as connection:
            await self._parking.join_votes(connection, row, result.event_id)
            found = await connection.fetch_one(
                self._sql["mark_sent"],
                turn_id=row.turn_id,
                n=row.n,
                **values,
                **self._fenced(lease),
            )
            self._expect(found, lease)

    async def amend(
        self, lease: Lease, turn: StoredTurn, row: SendRow, change: Amended
    ) -> SendRow:
        """Store a row that has to be sent otherwise than it was written; return the new row."""
        sender = change.sender or row.sender
        content = row.content if change.content is None else change.content
        await self._fence(
            "amend_send",
            lease,
            row,
            sender=sender,
            content=json.dumps(content),
            txn_id=transaction_id(turn.trigger_id, sender, row.n),
        )
        return await self.send_row(row.turn_id, row.n)

    async def keep_mxc(self, lease: Lease, row: SendRow, mxc: str) -> None:
        """Remember the media id of an upload that has to be filled again."""
        await self._fence("keep_mxc", lease, row, mxc=mxc)

    async def drop(self, lease: Lease, row: SendRow, why: str) -> None:
        """Note that a row will never be sent."""
        await self._fence("drop_send", lease, row, why=why)

    async def drop_room(self, lease: Lease, row: SendRow, why: str) -> None:
        """Note that nothing more of this turn goes into the row's room."""
        await self._fence("drop_room", lease, row, room=row.room_id, why=why)

    async def count_attempt(self, lease: Lease, row: SendRow) -> None:
        """Count a try that failed; from then on a row is looked for before it is sent again."""
        await self._fence("count_attempt", lease, row)

    async def _fence(self, name: str, lease: Lease, row: SendRow, **values: object) -> None:
        found = await self._database.fetch_one(
            self._sql[name], turn_id=row.turn_id, n=row.n, **values, **self._fenced(lease)
        )
        self._expect(found, lease)

    async def _lock(self, connection: Connection, lease: Lease) -> Row | None:
        return await connection.fetch_one(self._sql["lock_lane"], **self._fenced(lease))

    def _fenced(self, lease: Lease) -> dict[str, object]:
        return {"lane": lease.lane, "owner": self._owner, "fence": lease.fence}

    @staticmethod
    def _expect(row: object, lease: Lease) -> None:
        if row is None:
            raise LaneLostError(f"lane {lease.lane!r} is no longer ours (fence {lease.fence})")
