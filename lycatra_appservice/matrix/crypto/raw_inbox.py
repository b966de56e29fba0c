"""What came encrypted, as it came: any replica stores it, the one with the keys reads it.

An event is known by its id, a message between devices by what is in it: both come again, by push
and by /sync, and are read once.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.crypto.lease import CRYPTO_CHANNEL
from lycatra_appservice.matrix.events import is_id, mapping
from lycatra_appservice.model import JSON, EventID, UserID

TO_READ: Final = "read"  # on CRYPTO_CHANNEL
LOW: Final = "low:"  # the same, with one of our users: few one-time keys
USED: Final = "used:"  # the same: the fallback key was given away
ONE_TIME_KEYS_LOW: Final = 25
_KEYS: Final = "signed_curve25519"
_TELLING: Final = ("to_user_id", "to_device_id", "sender", "type", "content")


class RawKind(StrEnum):
    """What it is."""

    EVENT = "event"
    MESSAGE = "message"  # between devices


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNews:
    """What a homeserver says of keys besides events.

    Messages between devices as they came, whose devices changed, of whom of us it has few
    one-time keys left, and of whom it has given away the one for when there are none.
    """

    to_device: Sequence[JSON] = ()
    changed: Sequence[UserID] = ()
    low: Sequence[UserID] = ()
    used: Sequence[UserID] = ()

    def __bool__(self) -> bool:
        return bool(self.to_device or self.changed or self.low or self.used)


NO_NEWS: Final = KeyNews()


class RawInbox:
    """The table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "raw_inbox", database.dialect)
        self._keys = Statements.load(__package__, "keys", database.dialect)

    async def keep_events(
        self, connection: Connection, events: Sequence[Mapping[str, JSON]], via: str
    ) -> None:
        """Store events in the transaction of their push."""
        stored = False
        for event in events:
            row = await connection.fetch_one(
                self._sql["put"],
                kind=RawKind.EVENT.value,
                key=event["event_id"],
                raw=json.dumps({"event": event, "via": via}),
                room=event["room_id"],
            )
            stored = stored or row is not None
        if stored:
            await connection.notify(CRYPTO_CHANNEL, TO_READ)

    async def keep_news(self, connection: Connection, news: KeyNews) -> None:
        """Store what was said of keys in the transaction of its push."""
        for message in news.to_device:
            await connection.fetch_one(
                self._sql["put"],
                kind=RawKind.MESSAGE.value,
                key=_key_of(message),
                raw=json.dumps(message),
                room=None,
            )
        for user in sorted(set(news.changed)):
            await connection.execute(self._keys["mark_changed"], user_id=user)
        if news.to_device:
            await connection.notify(CRYPTO_CHANNEL, TO_READ)
        for user in news.low:
            await connection.notify(CRYPTO_CHANNEL, LOW + user)
        for user in news.used:
            await connection.notify(CRYPTO_CHANNEL, USED + user)

    async def is_waiting(self, event_id: EventID) -> bool:
        """Whether this event has not been read yet."""
        row = await self._database.fetch_one(self._sql["is_waiting"], key=event_id)
        return row is not None

    async def redact(self, event_id: EventID) -> None:
        """Never open an event that was taken back."""
        await self._database.execute(self._sql["redact"], key=event_id)


def key_news(
    to_device: Sequence[JSON],
    changed: JSON,
    counts: Mapping[str, JSON],
    unused: Mapping[str, JSON],
) -> KeyNews:
    """Read them from a push or a /sync.

    `counts` are one-time keys and `unused` the kinds of fallback keys left, by our users.
    """
    return KeyNews(
        to_device=to_device,
        changed=[UserID(user) for user in changed if is_id(user)]
        if isinstance(changed, list)
        else (),
        low=[UserID(user) for user, count in counts.items() if _is_low(count)],
        used=[UserID(user) for user, kinds in unused.items() if _is_used(kinds)],
    )


def _is_low(counts: JSON) -> bool:
    count = mapping(counts).get(_KEYS)
    return isinstance(count, int) and count < ONE_TIME_KEYS_LOW


def _is_used(kinds: JSON) -> bool:
    return isinstance(kinds, list) and _KEYS not in kinds


def _key_of(message: JSON) -> str:
    told = [mapping(message).get(name) for name in _TELLING]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return f"message:{digest}"
