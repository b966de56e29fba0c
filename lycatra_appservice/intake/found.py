"""Storing what the gap check found, in one commit with how far it has looked."""

from collections.abc import Sequence

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.intake.receiving import Receiving
from lycatra_appservice.intake.sorter import EventSorter
from lycatra_appservice.matrix.crypto.raw_inbox import KeyNews
from lycatra_appservice.matrix.gaps import SyncMark
from lycatra_appservice.model import JSON
from lycatra_appservice.turns.inbox import Inbox


class FoundEventStore:
    """The gap check's `FoundEvents`: the same sorting as for pushed events."""

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        sorter: EventSorter,
        receiving: Receiving | None = None,
    ) -> None:
        self._database = database
        self._receiving = receiving or Receiving()
        self._inbox = inbox
        self._sorter = sorter
        self._sql = Statements.load("lycatra_appservice.matrix", "presence", database.dialect)

    async def store_found(self, events: Sequence[JSON], news: KeyNews, mark: SyncMark) -> int:
        """Store events and the mark in one commit; return how many turns are new."""
        await self._sorter.recall_rooms(events)
        found = self._sorter.sort(events, via="sync")
        triggers = [*found.triggers, *await self._inbox.late(found.echoes)]
        async with self._database.transaction() as connection:
            new = await self._inbox.store_with(
                connection,
                triggers,
                found.dead_letters,
                self._receiving.alongside(found, news, "sync"),
            )
            await connection.execute(
                self._sql["put_next_batch"], user_id=mark.user_id, next_batch=mark.next_batch
            )
        return new
