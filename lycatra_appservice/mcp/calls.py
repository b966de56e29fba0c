"""Changes that clients asked for: kept until their end is fetched, by whichever request."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.mcp.tokens import BY_TIME
from lycatra_appservice.model import JSON, LaneKind, RoomID, UserID
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import Trigger, object_of

CALL: Final = "mcp"  # of the trigger id of the turn that makes it
CALL_CHANNEL: Final = "lycatra_mcp_call"
KEPT: Final = timedelta(days=2)  # longer than the longest wait for an approval: a release's day


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A change that is asked for. `client` is the name of the token that it came by."""

    person: UserID
    client: str
    token_id: str
    room_id: RoomID | None
    tool: str
    args: Mapping[str, JSON]

    @property
    def key(self) -> str:
        """Equal for the same call by the same person in the same place."""
        what = [self.person, self.room_id, self.tool, self.args]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A wish that has its turn. `ending` is None until it has ended.

    `is_forsaken`: its turn is over and left no ending. `is_disowned`: somebody has ended the token
    that it came by, which takes back what was not begun. `ended_ago`: for how long it has been
    over; zero while it is not.
    """

    id: str
    wish: Wish
    ending: Mapping[str, JSON] | None
    is_forsaken: bool = False
    is_disowned: bool = False
    ended_ago: timedelta = timedelta(0)

    @property
    def trigger_id(self) -> str:
        """Of its turn."""
        return f"{CALL}:{self.id}"


class CallStore:
    """The mcp_call table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inbox = Inbox(database)
        self._sql = Statements.load(__package__, "calls", database.dialect)

    async def join(self, wish: Wish) -> Call:
        """The call that is under way for this wish, or has ended unfetched; else a new one.

        However many ask at once, by whatever replicas, one call comes of it.
        """
        call_id = secrets.token_hex(8)
        async with self._database.transaction() as connection:
            made = await connection.fetch_one(
                self._sql["insert"],
                id=call_id,
                key=wish.key,
                person=wish.person,
                client=wish.client,
                token=wish.token_id,
                room=wish.room_id,
                tool=wish.tool,
                args=json.dumps(wish.args),
            )
            if made is not None:
                await self._inbox.store_with(connection, [_trigger(call_id)])
                return Call(id=call_id, wish=wish, ending=None)
            row = await connection.fetch_one(self._sql["of_key"], key=wish.key)
        # Fetched by another request in between: nobody waits for it, so it is asked for anew.
        return await self.join(wish) if row is None else _call(row)

    async def get(self, call_id: str) -> Call | None:
        """A call as it stands; None when it was forgotten."""
        row = await self._database.fetch_one(self._sql["get"], id=call_id)
        return None if row is None else _call(row)

    async def end(self, call_id: str, ending: Mapping[str, JSON]) -> None:
        """Keep what came of it; the first ending stays."""
        async with self._database.transaction() as connection:
            await connection.fetch_one(self._sql["end"], id=call_id, ending=json.dumps(ending))
            await connection.notify(CALL_CHANNEL, call_id)

    async def fetched(self, call_id: str) -> None:
        """The client has its end: the same call is a new wish from now on."""
        await self._database.execute(self._sql["fetched"], id=call_id)

    async def forget(self) -> None:
        """Erase what is old."""
        keep_ms = round(KEPT / timedelta(milliseconds=1))
        await self._database.execute(self._sql["forget"], keep_ms=keep_ms)


def _trigger(call_id: str) -> Trigger:
    """In a lane of its own: nothing waits for it, and it waits for nothing."""
    return Trigger(
        id=f"{CALL}:{call_id}",
        lane=f"{CALL}:{call_id}|{LaneKind.COMMAND}",
        kind=LaneKind.COMMAND,
        input="{}",
    )


def _call(row: Row) -> Call:
    return Call(
        id=row["id"],
        wish=Wish(
            person=UserID(row["person"]),
            client=row["client"],
            token_id=row["token"] or "",
            room_id=RoomID(row["room"]) if row["room"] else None,
            tool=row["tool"],
            args=object_of(row["args"]),
        ),
        ending=None if row["ending"] is None else object_of(row["ending"]),
        is_forsaken=row["ending"] is None and row["finished_at"] is not None,
        is_disowned=row["ended_by"] not in (None, BY_TIME),
        ended_ago=timedelta(milliseconds=row["ended_ms_ago"] or 0),
    )
