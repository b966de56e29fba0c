"""What is erased of keys and of what they open, when it has been kept long enough."""

from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements

_REPEATED: Final = timedelta(days=7)  # for how long a homeserver may bring something again
_UNSENT: Final = timedelta(days=1)


class KeyRetention:
    """Erases by the last use: a key that opens messages may be older than what it opened."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys = Statements.load(__package__, "keys", database.dialect)
        self._raw = Statements.load(__package__, "raw_inbox", database.dialect)
        self._sealing = Statements.load(__package__, "sealing", database.dialect)

    async def forget(self, turns: timedelta) -> None:
        """Erase what is older than `turns`, as questions and answers are."""
        for statements, name, kept in (
            (self._keys, "forget_room_keys", turns),
            (self._keys, "forget_places", turns),
            (self._keys, "forget_outbound", turns),
            (self._raw, "forget_done", min(turns, _REPEATED)),
            (self._raw, "forget_unread", turns),
            (self._sealing, "forget", _UNSENT),
        ):
            keep_ms = int(kept.total_seconds() * 1000)
            await self._database.execute(statements[name], keep_ms=keep_ms)
