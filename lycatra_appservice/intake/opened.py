"""Events that could be read: sorted like those that came in clear."""

from collections.abc import Mapping

from lycatra_appservice.db.connection import Connection
from lycatra_appservice.intake.sorter import EventSorter
from lycatra_appservice.model import JSON
from lycatra_appservice.turns.inbox import Inbox


class OpenedEventStore:
    """The `OpenedEvents` of whoever has the keys."""

    def __init__(self, inbox: Inbox, sorter: EventSorter) -> None:
        self._inbox = inbox
        self._sorter = sorter

    async def store(self, connection: Connection, event: Mapping[str, JSON], via: str) -> None:
        """Store what an event asks for in this transaction; an encrypted one has no echoes."""
        found = self._sorter.sort([event], via=via)
        if found.triggers or found.dead_letters:
            await self._inbox.store_with(
                connection, found.triggers, found.dead_letters, found.alongside
            )
