"""Writes the audit: what reads soon and in batches, what changes something at once."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from lycatra_appservice.audit.entry import Entry
from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.db.transactions import settle
from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.model import JSON

logger = logging.getLogger(__name__)

# So long entries gather for one commit. Only these are lost when the process is killed.
LINGER: Final = timedelta(milliseconds=500)
MOST_WAITING: Final = 2000  # a minute of an exceptionally busy service; some 2 MB
_BATCH: Final = 200
_PAUSE_SECONDS: Final = 2.0  # while the database is away
_LAST_SECONDS: Final = 5.0
_HASH_CHARACTERS: Final = 32  # 128 bits


@dataclass(frozen=True, slots=True)
class _Noted:
    entry: Entry
    at: float  # of the clock that never goes back


class AuditTrail:
    """Takes entries of this process; `async with` begins and ends its work.

    Within the block, on a database that has the audit's tables. Entries are written in the
    order in which they came, each once however often it had to be tried. Whatever waits is
    bounded; what cannot be written at the end is logged instead.
    """

    def __init__(
        self,
        database: Database,
        *,
        linger: timedelta = LINGER,
        most_waiting: int = MOST_WAITING,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "audit", database.dialect)
        self._linger = linger.total_seconds()
        self._most_waiting = most_waiting
        self._monotonic = monotonic
        self._waiting: list[_Noted] = []
        self._is_waiting = asyncio.Event()
        self._writing = asyncio.Lock()
        self._key = b""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        row = await self._database.fetch_one(self._sql["key"])
        if row is None:
            raise StoreUnavailableError("the key of the audit is gone from its table audit_key")
        self._key = str(row["key"]).encode()
        self._task = asyncio.create_task(self._write_soon(), name="audit")
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self.flush()
        except (StoreUnavailableError, TimeoutError):
            lost = [_row(noted, 0, 0) for noted in self._waiting]
            logger.exception("audit_not_written", extra={"entries": lost})

    def fingerprint(self, text: str) -> str:
        """A keyed hash: equal for equal texts, on every replica and after every restart."""
        digest = hmac.new(self._key, text.encode(errors="replace"), hashlib.sha256).hexdigest()
        return digest[:_HASH_CHARACTERS]

    async def note(self, entry: Entry) -> None:
        """Have an entry written soon.

        Waits only when too many are waiting already. StoreUnavailableError then means that the
        database is away; the entry is not forgotten.
        """
        self._take(entry)
        if len(self._waiting) > self._most_waiting:
            await self.flush()

    async def write(self, entry: Entry) -> None:
        """Have an entry written, and all before it: it is committed when this returns.

        Cancellation waits for that. StoreUnavailableError: it may not be; it is not forgotten.
        """
        self._take(entry)
        await settle(self.flush())

    async def flush(self) -> None:
        """Write all that waits. StoreUnavailableError: some of it still waits."""
        async with self._writing:
            while self._waiting:
                batch = self._waiting[:_BATCH]
                await self._append(batch)
                del self._waiting[: len(batch)]

    def _take(self, entry: Entry) -> None:
        self._waiting.append(_Noted(entry, self._monotonic()))
        self._is_waiting.set()

    async def _write_soon(self) -> None:
        while True:
            await self._is_waiting.wait()
            await asyncio.sleep(self._linger)
            self._is_waiting.clear()
            try:
                await self.flush()
            except StoreUnavailableError as error:
                waiting = len(self._waiting)
                logger.warning("audit_waits", extra={"waiting": waiting, "error": str(error)})
                self._is_waiting.set()
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _append(self, batch: Sequence[_Noted]) -> None:
        now = self._monotonic()
        rows = [_row(noted, n, now) for n, noted in enumerate(batch)]
        await self._database.execute(self._sql["append"], rows=json.dumps(rows))


def _row(noted: _Noted, n: int, now: float) -> JSON:
    entry = noted.entry
    row = {
        "n": n,
        "ago_ms": max(round((now - noted.at) * 1000), 0),
        "call": entry.call,
        "person": entry.person,
        "face": str(entry.face),
        "room": entry.room_id,
        "trigger_id": entry.trigger_id,
        "run": entry.run,
        "tool": entry.tool,
        "decision": str(entry.ruling),
        "outcome": entry.outcome,
        "took_ms": entry.took_ms,
        "arguments": entry.arguments,
        "arguments_hash": entry.arguments_hash,
        "approval": entry.approval,
        "approvers": json.dumps(list(entry.approvers)) if entry.approvers else None,
        "reference": entry.reference,
    }
    return {name: _storable(value) for name, value in row.items()}


def _storable(value: JSON) -> JSON:
    """No database takes NUL or half a character, and one such text would hold up all others."""
    if not isinstance(value, str):
        return value
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "")
