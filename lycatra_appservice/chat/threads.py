"""Who takes part in the threads that we answer in."""

import json
from datetime import timedelta

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.events import is_id, mapping
from lycatra_appservice.model import EventID, UserID


class ThreadStore:
    """The thread_voice table: who has written in a thread, and since when."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "threads", database.dialect)

    async def note(self, thread: EventID, user_id: UserID, at_ms: int) -> None:
        """Somebody wrote there; the first time counts. Safe to say again."""
        await self._database.execute(self._sql["note"], thread=thread, user_id=user_id, at=at_ms)

    async def has_others(self, thread: EventID, user_id: UserID, at_ms: int) -> bool:
        """Whether somebody else had written there by then.

        What comes later does not count, so that a turn that is run again decides as before.
        """
        row = await self._database.fetch_one(
            self._sql["other"], thread=thread, user_id=user_id, at=at_ms
        )
        return row is not None

    async def of_answer(self, event_id: EventID) -> EventID | None:
        """The thread that a message of ours stands in."""
        row = await self._database.fetch_one(self._sql["answer"], event_id=event_id)
        relation = mapping(mapping(json.loads(row["content"])).get("m.relates_to")) if row else {}
        thread = relation.get("event_id")
        if relation.get("rel_type") != "m.thread" or not is_id(thread):
            return None
        return EventID(thread)

    async def forget(self, older_than: timedelta) -> None:
        """Erase who wrote for the first time longer ago than that."""
        await self._database.execute(
            self._sql["forget_old"], keep_ms=round(older_than / timedelta(milliseconds=1))
        )
