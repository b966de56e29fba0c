"""Reads the audit for people, and takes out of it what is to be forgotten."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lycatra_appservice.audit.entry import Entry, Recorded
from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import RoomID, UserID

_PAGE: Final = 500
_LONGEST_STORY: Final = 100  # entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries; what is None is left open.

    `person` is a whole Matrix ID, `beginning` the beginning of one, such as `@bob:`.
    """

    person: UserID | None = None
    beginning: str | None = None
    tool: str | None = None
    room_id: RoomID | None = None
    since: datetime | None = None


class AuditStore:
    """The audit table, from the outside. `AuditTrail` is who adds to it.

    In the order of writing, in which new entries always come last; two replicas may be half a
    second apart in it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "audit", database.dialect)

    async def latest(
        self, wanted: Wanted, entries: int, *, whole: bool = False
    ) -> Sequence[Recorded]:
        """The last entries, oldest first; one for a call that was run, unless `whole`."""
        rows = await self._database.fetch(
            self._sql["latest"], whole=int(whole), entries=entries, **_parameters(wanted)
        )
        return [_recorded(row) for row in reversed(rows)]

    async def last_story(self, wanted: Wanted) -> Sequence[Recorded]:
        """All entries of the turn that the last such entry belongs to, oldest first.

        Of those the person and room count, too, so that nobody reads of others what is not his.
        """
        newest = await self.latest(wanted, 1, whole=True)
        if not newest:
            return ()
        entry = newest[0].entry
        rows = await self._database.fetch(
            self._sql["story"],
            trigger_id=entry.trigger_id,
            call=entry.call,
            person=wanted.person,
            room=wanted.room_id,
            entries=_LONGEST_STORY,
        )
        return [_recorded(row) for row in rows]

    async def of_turn(self, trigger_id: str) -> Sequence[Recorded]:
        """All entries of one turn, oldest first."""
        rows = await self._database.fetch(self._sql["of_turn"], trigger_id=trigger_id)
        return [_recorded(row) for row in rows]

    async def all(self, wanted: Wanted) -> AsyncIterator[Recorded]:
        """Every such entry, oldest first, read in pages."""
        after_id = 0
        while True:
            rows = await self._database.fetch(
                self._sql["page"],
                after_id=after_id,
                entries=_PAGE,
                **_parameters(wanted),
            )
            for row in rows:
                yield _recorded(row)
            if len(rows) < _PAGE:
                return
            after_id = rows[-1]["id"]

    async def remembers(self, trigger_id: str) -> bool:
        """No: nothing that is kept here is ever given to a later turn."""
        return False

    async def forget_turn(self, connection: Connection, trigger_id: str) -> None:
        """Blank the arguments of a turn's calls, in this transaction; the stubs stay."""
        await connection.execute(self._sql["blank"], trigger_id=trigger_id)

    async def forget(self, older_than: timedelta) -> int:
        """Remove what is older than that, in batches; return how many entries."""
        removed = 0
        keep_ms = round(older_than / timedelta(milliseconds=1))
        while rows := await self._database.fetch(self._sql["forget_old"], keep_ms=keep_ms):
            removed += len(rows)
        return removed


def _parameters(wanted: Wanted) -> dict[str, object]:
    since = wanted.since
    return {
        "person": wanted.person,
        "beginning": wanted.beginning,
        "tool": wanted.tool,
        "room": wanted.room_id,
        "since_ms": None if since is None else round(since.timestamp() * 1000),
    }


def _recorded(row: Row) -> Recorded:
    return Recorded(
        id=row["id"],
        at=datetime.fromtimestamp(row["at"] / 1000, UTC),
        entry=Entry(
            call=row["call"],
            person=UserID(row["person"]),
            face=row["face"],
            tool=row["tool"],
            ruling=row["decision"],
            outcome=row["outcome"],
            room_id=RoomID(row["room"]) if row["room"] else None,
            trigger_id=row["trigger_id"],
            took_ms=row["took_ms"],
            arguments=row["arguments"],
            arguments_hash=row["arguments_hash"],
            approval=row["approval"],
            approvers=tuple(map(UserID, json.loads(row["approvers"] or "[]"))),
            reference=row["reference"],
        ),
    )
