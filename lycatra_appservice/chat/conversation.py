"""What was said before, for the model: a thread is a conversation, a room's timeline another."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.agent.messages import Message, message_from_json, message_to_json
from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import Inbound

_RESET: Final = json.dumps({"role": "reset"})
_MAX_MESSAGES: Final = 200  # the agent keeps what fits its window; this only bounds the reading


class ConversationStore:
    """The history table. Append-only; one row a message, in order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "conversation", database.dialect)

    async def load(self, conversation: str) -> Sequence[Message]:
        """The latest messages since the last reset, oldest first."""
        rows = await self._database.fetch(
            self._sql["load"],
            conversation=conversation,
            messages=_MAX_MESSAGES,
            reset=_RESET,
        )
        return [message_from_json(json.loads(row["message"])) for row in rows]

    async def append(
        self, conversation: str, trigger_id: str, messages: Sequence[Message], *, run: int
    ) -> None:
        """Add one turn's messages; adding the same turn again changes nothing.

        `run` is the first_n of the running turn. One that was asked anew meanwhile, that was
        stopped or has ended, adds nothing.
        """
        async with self._database.transaction() as connection:
            await connection.execute_many(
                self._sql["append"],
                [
                    {
                        "conversation": conversation,
                        "trigger_id": trigger_id,
                        "position": position,
                        "message": json.dumps(message_to_json(message)),
                        "run": run,
                    }
                    for position, message in enumerate(messages)
                ],
            )

    async def reset(self, conversation: str, trigger_id: str, *, run: int) -> None:
        """Let the conversation begin anew; what was said before stays until its time is over."""
        await self._database.execute(
            self._sql["append"],
            conversation=conversation,
            trigger_id=trigger_id,
            position=0,
            message=_RESET,
            run=run,
        )

    async def last_turn(self, conversation: str, *, with_threads: bool) -> str | None:
        """The turn that was answered last; `with_threads` also in the threads of that room."""
        row = await self._database.fetch_one(
            self._sql["last_turn"],
            conversation=conversation,
            threads=f"{conversation}|",
            with_threads=int(with_threads),
            reset=_RESET,
        )
        return row["trigger_id"] if row else None

    async def remembers(self, trigger_id: str) -> bool:
        """Whether a turn has added something."""
        row = await self._database.fetch_one(self._sql["remembers"], trigger_id=trigger_id)
        return row is not None

    async def forget_turn(self, connection: Connection, trigger_id: str) -> None:
        """Erase what a turn has added, in this transaction."""
        await connection.execute(self._sql["forget_turn"], trigger_id=trigger_id)

    async def forget(self, older_than: timedelta) -> None:
        """Erase what is older than that."""
        await self._database.execute(
            self._sql["forget_old"], keep_ms=round(older_than.total_seconds() * 1000)
        )


def conversation_of(inbound: Inbound) -> str:
    """The key of the conversation that a message belongs to."""
    return f"{inbound.room_id}|{inbound.thread}" if inbound.thread else inbound.room_id
