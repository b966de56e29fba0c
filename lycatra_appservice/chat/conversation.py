"""What was said before, for the model: a thread is a conversation, a room's timeline another."""

import json
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.agent.messages import Message, message_from_json, message_to_json
from lycatra_appservice.chat.memory import Remembered, called_in
from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.model import EventID, Inbound, RoomID, UserID

_RESET: Final = json.dumps({"role": "reset"})
_MAX_CHAIN: Final = 20  # turns that one reply brings along
_MAX_MESSAGES: Final = 200  # the agent keeps what fits its window; this only bounds the reading


class ConversationStore:
    """The history table. Append-only; one row a message, in order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "conversation", database.dialect)

    async def load(self, conversation: str) -> Sequence[Remembered]:
        """The latest turns since the last reset, oldest first; of the first perhaps only a part.

        Not everybody may use all of them: see memory.py.
        """
        rows = await self._database.fetch(
            self._sql["load"],
            conversation=conversation,
            messages=_MAX_MESSAGES,
            reset=_RESET,
        )
        return _turns_in(rows)

    async def load_room(self, room_id: RoomID) -> Sequence[Remembered]:
        """The same of all conversations of a room together, its threads too."""
        rows = await self._database.fetch(
            self._sql["load_room"], room=room_id, messages=_MAX_MESSAGES, reset=_RESET
        )
        return _turns_in(rows)

    async def chain(self, room_id: RoomID, trigger_id: str) -> Sequence[Remembered]:
        """A turn of this room and those that it went on from, oldest first.

        Also from before a reset: whoever replies to something means it.
        """
        rows = await self._database.fetch(
            self._sql["chain"], room=room_id, trigger_id=trigger_id, most=_MAX_CHAIN, reset=_RESET
        )
        return _turns_in(rows)

    async def append(
        self,
        conversation: str,
        trigger_id: str,
        messages: Sequence[Message],
        *,
        run: int,
        rests_on: Collection[str] = (),
        only_for: UserID | None = None,
        went_on_from: str | None = None,
    ) -> None:
        """Add one turn's messages; adding the same turn again changes nothing.

        `run` is the first_n of the running turn. One that was asked anew meanwhile, that was
        stopped or has ended, adds nothing. `went_on_from` is the turn whose answer the question
        replied to. For the rest see `Remembered`.
        """
        async with self._database.transaction() as connection:
            await connection.execute_many(
                self._sql["append"],
                [
                    {
                        "conversation": conversation,
                        "room": _room_of(conversation),
                        "trigger_id": trigger_id,
                        "position": position,
                        "message": json.dumps(message_to_json(message)),
                        "run": run,
                        "rests_on": json.dumps(sorted(rests_on)),
                        "only_for": only_for,
                        "went_on_from": went_on_from,
                    }
                    for position, message in enumerate(messages)
                ],
            )

    async def reset(self, conversation: str, trigger_id: str, *, run: int) -> None:
        """Let the conversation begin anew; what was said before stays until its time is over."""
        await self._database.execute(
            self._sql["append"],
            conversation=conversation,
            room=_room_of(conversation),
            trigger_id=trigger_id,
            position=0,
            message=_RESET,
            run=run,
            rests_on=None,
            only_for=None,
            went_on_from=None,
        )

    async def begun_by(self, conversation: str) -> str | None:
        """The turn of the last reset: it tells one conversation in the same place from another."""
        row = await self._database.fetch_one(
            self._sql["begun_by"], conversation=conversation, reset=_RESET
        )
        return row["trigger_id"] if row else None

    async def reword(self, trigger_id: str, words: str) -> None:
        """Let a question that was answered stand there as its writer has edited it since."""
        row = await self._database.fetch_one(self._sql["first_of"], trigger_id=trigger_id)
        question = mapping(json.loads(row["message"])) if row else {}
        if row is None or question.get("role") != "user" or question.get("text") == words:
            return
        await self._database.execute(
            self._sql["reword"],
            trigger_id=trigger_id,
            was=row["message"],
            message=json.dumps({**question, "text": words}),
        )

    async def bring(self, event_id: EventID, trigger_id: str) -> None:
        """Note, before it is read, that a question brings somebody's message along."""
        await self._database.execute(self._sql["bring"], event_id=event_id, trigger_id=trigger_id)

    async def not_brought(self, event_id: EventID, trigger_id: str) -> None:
        """Take that back: nothing came of it, or it is erased."""
        await self._database.execute(
            self._sql["not_brought"], event_id=event_id, trigger_id=trigger_id
        )

    async def brought_by(self, event_id: EventID) -> Sequence[str]:
        """The turns whose questions brought this message along."""
        rows = await self._database.fetch(self._sql["brought_by"], event_id=event_id)
        return [row["trigger_id"] for row in rows]

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
        keep_ms = round(older_than.total_seconds() * 1000)
        await self._database.execute(self._sql["forget_old"], keep_ms=keep_ms)
        await self._database.execute(self._sql["forget_old_brought"], keep_ms=keep_ms)


def _turns_in(rows: Sequence[Row]) -> Sequence[Remembered]:
    turns: dict[str, list[Row]] = {}
    for row in rows:
        turns.setdefault(row["trigger_id"], []).append(row)
    return [_remembered(members) for members in turns.values()]


def _room_of(conversation: str) -> str:
    return conversation.partition("|")[0]


def _remembered(rows: Sequence[Row]) -> Remembered:
    messages = [message_from_json(json.loads(row["message"])) for row in rows]
    noted, only_for = rows[0]["rests_on"], rows[0]["only_for"]
    return Remembered(
        trigger_id=rows[0]["trigger_id"],
        messages=messages,
        rests_on=called_in(messages) if noted is None else frozenset(json.loads(noted)),
        only_for=UserID(only_for) if only_for else None,
    )


def conversation_of(inbound: Inbound) -> str:
    """The key of the conversation that a message belongs to."""
    return f"{inbound.room_id}|{inbound.thread}" if inbound.thread else inbound.room_id
