"""One commit for all that came together: turns, what only the keys open, and news of keys."""

from collections.abc import Mapping, Sequence, Set
from typing import Protocol

from lycatra_appservice.db.connection import Connection
from lycatra_appservice.intake.sorter import Sorted
from lycatra_appservice.matrix.crypto.raw_inbox import KeyNews
from lycatra_appservice.model import JSON
from lycatra_appservice.turns.inbox import Alongside


class RawMail(Protocol):
    """Keeps what came encrypted, as it came, for whoever has the keys."""

    async def keep_events(
        self, connection: Connection, events: Sequence[Mapping[str, JSON]], via: str
    ) -> None:
        """Store events in this transaction."""

    async def keep_news(self, connection: Connection, news: KeyNews) -> None:
        """Store what was said of keys in this transaction."""


class Receiving:
    """Knows whether there is anybody who can read what is encrypted."""

    def __init__(self, raw: RawMail | None = None) -> None:
        """Without `raw` nobody can, and what only concerns keys is not kept."""
        self._raw = raw

    def alongside(self, found: Sorted, news: KeyNews, via: str) -> Alongside | None:
        """What goes into the commit of the triggers besides; None for nothing."""
        raw = self._raw
        if raw is None or not (found.sealed or news):
            return found.alongside

        async def keep(connection: Connection, new: Set[str]) -> None:
            if found.alongside is not None:
                await found.alongside(connection, new)
            # Messages between devices first: they bring the keys of the events.
            await raw.keep_news(connection, news)
            await raw.keep_events(connection, found.sealed, via)

        return keep
