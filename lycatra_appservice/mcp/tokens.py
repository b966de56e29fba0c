"""Personal tokens of people for their MCP clients; of each only the hash is kept."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.words.text import Text

PREFIX: Final = "lyc_"
ENDED_CHANNEL: Final = "lycatra_mcp_token"
BY_TIME: Final = "time"  # who ended a token that nobody did
MOST_TOKENS: Final = 20  # of one person
LONGEST: Final = timedelta(days=366)
USUAL: Final = timedelta(days=90)
_TOUCH_EVERY: Final = timedelta(minutes=1)
_KEPT: Final = timedelta(days=90)  # of one that has ended, for who asks later


class Scope(StrEnum):
    """What a token gives at most of its owner's rights."""

    READ = "read"
    OPERATE = "operate"


class TokenError(LycatraError):
    """A token cannot be made; people read why."""

    def __init__(self, said: Text) -> None:
        super().__init__(said.key)
        self.said = said


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What is wished for. One with a `room_id` ends when its owner leaves that room."""

    owner: UserID
    name: str
    scope: Scope = Scope.OPERATE
    lifetime: timedelta = USUAL
    room_id: RoomID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A living token, as it stood a moment ago."""

    id: str
    owner: UserID
    name: str
    scope: Scope
    room_id: RoomID | None
    created: datetime
    expires: datetime
    used: datetime | None
    left: timedelta  # until it expires, by the database's clock


class TokenStore:
    """The mcp_token table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "tokens", database.dialect)

    async def make(self, new: NewToken) -> str:
        """Make one and return its secret, which is kept nowhere. Raises TokenError."""
        secret = PREFIX + secrets.token_urlsafe(32)
        async with self._database.transaction() as connection:
            await connection.execute(self._sql["end_expired"], owner=new.owner)
            living = await connection.fetch(self._sql["living_of"], owner=new.owner)
            if len(living) >= MOST_TOKENS:
                raise TokenError(Text("too_many_tokens", n=MOST_TOKENS))
            made = await connection.fetch_one(
                self._sql["insert"],
                id=secrets.token_hex(6),
                hash=_hash(secret),
                owner=new.owner,
                name=new.name,
                scope=new.scope.value,
                room=new.room_id,
                lifetime_ms=round(new.lifetime / timedelta(milliseconds=1)),
            )
        if made is None:
            raise TokenError(Text("token_name_taken", name=new.name))
        return secret

    async def of(self, owner: UserID) -> Sequence[Token]:
        """A person's living tokens, by name."""
        rows = await self._database.fetch(self._sql["living_of"], owner=owner)
        return [_token(row) for row in rows]

    async def all(self) -> Sequence[Token]:
        """Everybody's."""
        return [_token(row) for row in await self._database.fetch(self._sql["living"])]

    async def find(self, secret: str) -> Token | None:
        """The living token that has this secret."""
        row = await self._database.fetch_one(self._sql["by_hash"], hash=_hash(secret))
        return None if row is None else _token(row)

    async def end(self, token: Token, by: str) -> bool:
        """End it for good and tell every replica; whether it was living."""
        async with self._database.transaction() as connection:
            return await self._end(connection, token.id, by)

    async def touch(self, token_id: str) -> None:
        """Note that it was used, to the minute."""
        every_ms = round(_TOUCH_EVERY / timedelta(milliseconds=1))
        await self._database.execute(self._sql["touch"], id=token_id, every_ms=every_ms)

    async def forget(self) -> None:
        """Erase those that ended long ago."""
        keep_ms = round(_KEPT / timedelta(milliseconds=1))
        await self._database.execute(self._sql["forget"], keep_ms=keep_ms)

    async def _end(self, connection: Connection, token_id: str, by: str) -> bool:
        ended = await connection.fetch_one(self._sql["end"], id=token_id, by=by)
        await connection.notify(ENDED_CHANNEL, token_id)
        return ended is not None


def _hash(secret: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _token(row: Row) -> Token:
    return Token(
        id=row["id"],
        owner=UserID(row["owner"]),
        name=row["name"],
        scope=Scope(row["scope"]),
        room_id=RoomID(row["room"]) if row["room"] else None,
        created=_at(row["created_at"]),
        expires=_at(row["expires_at"]),
        used=_at(row["used_at"]) if row["used_at"] else None,
        left=timedelta(milliseconds=row["expires_at"] - row["now"]),
    )


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
