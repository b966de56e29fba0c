"""Questions of MCP servers to people: asked by a turn, answered by a message to any replica."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON, LaneKind, RoomID, UserID
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import Trigger, lane_of_job

QUESTION: Final = "question"  # of the trigger id
ANSWER_CHANNEL: Final = "lycatra_answer"  # its payload is the question's code


class QuestionOverError(LycatraError):
    """Nobody can answer it any more: its message was taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredQuestion:
    """`code` is what a person names it by; `form` is JSON Schema of flat fields."""

    code: str
    namespace: str
    tool: str
    room_id: RoomID
    person: UserID
    asked_by: str | None
    message: str
    form: Mapping[str, JSON] = field(default_factory=dict)


class QuestionTable:
    """Every method may be called again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inbox = Inbox(database)
        self._sql = Statements.load(__package__, "questions", database.dialect)

    async def put(self, new: StoredQuestion, patience: timedelta) -> None:
        """Keep it, with a turn that asks it."""
        trigger = Trigger(
            id=f"{QUESTION}:{new.code}",
            lane=lane_of_job(f"{QUESTION}|{new.code}"),
            kind=LaneKind.JOB,
            input=json.dumps({"code": new.code}),
        )
        async with self._database.transaction() as connection:
            await connection.execute(self._sql["tidy"])
            await connection.execute(
                self._sql["put"],
                code=new.code,
                namespace=new.namespace,
                tool=new.tool,
                room=new.room_id,
                person=new.person,
                asked_by=new.asked_by,
                message=new.message,
                form=json.dumps(new.form),
                patience_ms=patience // timedelta(milliseconds=1),
            )
            await self._inbox.store_with(connection, [trigger])

    async def find(self, code: str) -> StoredQuestion | None:
        """One that somebody still waits for."""
        row = await self._database.fetch_one(self._sql["find"], code=code)
        return _read(row) if row else None

    async def open_in(self, room_id: RoomID) -> Sequence[StoredQuestion]:
        """Those in a room that nobody has answered yet, the oldest first."""
        rows = await self._database.fetch(self._sql["open_in"], room=room_id)
        return [_read(row) for row in rows]

    async def answer(self, code: str, person: UserID, answer: Mapping[str, JSON]) -> bool:
        """Give it the one answer; False when it is too late, or the question of another."""
        async with self._database.transaction() as connection:
            row = await connection.fetch_one(
                self._sql["answer"], code=code, person=person, answer=json.dumps(answer)
            )
            if row is not None:
                await connection.notify(ANSWER_CHANNEL, code)
            return row is not None

    async def answer_of(self, code: str) -> Mapping[str, JSON] | None:
        """What was answered by now. Raises QuestionOverError for one that is closed or gone."""
        row = await self._database.fetch_one(self._sql["answer_of"], code=code)
        if row is None or row["closed_at"] is not None:
            raise QuestionOverError(f"the question {code} is over")
        return json.loads(row["answer"]) if row["answer"] else None

    async def close(self, code: str) -> None:
        """Nobody waits for it any more; its words are erased."""
        await self._database.execute(self._sql["close"], code=code)

    async def remembers(self, trigger_id: str) -> bool:
        """Whether later turns may have read of it: they cannot."""
        return False

    async def forget_turn(self, connection: Connection, trigger_id: str) -> None:
        """Erase what was asked for a message that is taken back."""
        await connection.execute(self._sql["forget_turn"], trigger_id=trigger_id)


class RemoteLists:
    """What each MCP server had when it was last seen, as text of whoever writes it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "questions", database.dialect)

    async def read(self, server: str) -> str | None:
        """As it was written."""
        row = await self._database.fetch_one(self._sql["read_list"], server=server)
        return None if row is None else str(row["tools"])

    async def write(self, server: str, tools: str) -> None:
        """In the place of what was there."""
        await self._database.execute(self._sql["write_list"], server=server, tools=tools)


def _read(row: Row) -> StoredQuestion:
    return StoredQuestion(
        code=row["code"],
        namespace=row["namespace"],
        tool=row["tool"],
        room_id=RoomID(row["room"]),
        person=UserID(row["person"]),
        asked_by=row["asked_by"],
        message=row["message"],
        form=json.loads(row["form"]),
    )
