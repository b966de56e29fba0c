"""News on their way: who wants which, that each is told once, and a turn for every room."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import JSON, LaneKind, RoomID, UserID
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.later import Later
from lycatra_appservice.turns.records import CANCELLED, Trigger, lane_of_job

NEWS: Final = "news"  # of the trigger id
EVERYTHING: Final = ""  # as what a subscription is about


def subject(about: str) -> str:
    """What news are about as one word, however it is written, for `Subscription.about`."""
    return "_".join(about.casefold().replace("_", " ").split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a room wants to be told: all of a namespace's news, or those about one `subject`."""

    namespace: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsItem:
    """One piece of news: `input` is for the turns that tell it, `ends` the key of older ones."""

    namespace: str
    key: str
    ends: str | None
    input: Mapping[str, JSON]

    def trigger_id(self, room_id: RoomID) -> str:
        """Of the turn that tells it in a room."""
        return _trigger_id(self.namespace, self.key, room_id)


class NewsTable:
    """The subscription and news tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inbox = Inbox(database)
        self._later = Later(database)
        self._sql = Statements.load(__package__, "news", database.dialect)
        self._held = Statements.load(__package__, "held", database.dialect)
        self._turns = Statements.load(__package__, "turns", database.dialect)

    async def subscribe(self, room_id: RoomID, wanted: Subscription, by: UserID) -> bool:
        """Whether it is new."""
        row = await self._database.fetch_one(
            self._sql["subscribe"],
            room=room_id,
            namespace=wanted.namespace,
            about=wanted.about,
            by=by,
        )
        return row is not None

    async def unsubscribe(self, room_id: RoomID, unwanted: Subscription) -> bool:
        """Whether there was such a one; what is about everything takes all of the namespace."""
        named = {"room": room_id, "namespace": unwanted.namespace}
        if unwanted.about == EVERYTHING:
            return bool(await self._database.fetch(self._sql["unsubscribe_all"], **named))
        row = await self._database.fetch_one(
            self._sql["unsubscribe"], **named, about=unwanted.about
        )
        return row is not None

    async def subscriptions(self, room_id: RoomID) -> Sequence[Subscription]:
        """What a room is told, by name."""
        rows = await self._database.fetch(self._sql["of_room"], room=room_id)
        return [Subscription(namespace=row["namespace"], about=row["about"]) for row in rows]

    async def rooms(self, namespace: str, about: str) -> Sequence[RoomID]:
        """The rooms that want news about something."""
        rows = await self._database.fetch(
            self._sql["rooms"], namespace=namespace, about=subject(about)
        )
        return [RoomID(row["room"]) for row in rows]

    async def leave(self, room_id: RoomID) -> None:
        """Tell a room nothing more."""
        await self._database.execute(self._sql["leave_room"], room=room_id)

    async def follow(self, room_id: RoomID, successor: RoomID) -> None:
        """Tell a room's successor what it was told."""
        async with self._database.transaction() as connection:
            await connection.execute(self._sql["follow_room"], room=room_id, successor=successor)
            await connection.execute(self._sql["leave_room"], room=room_id)

    async def publish(self, item: NewsItem, rooms: Mapping[RoomID, timedelta]) -> bool:
        """Store a turn for each room, to begin after so long; False for what was published.

        What it ends is not told any more where it was not yet.
        """
        async with self._database.transaction() as connection:
            new = await connection.fetch_one(
                self._sql["publish"], namespace=item.namespace, key=item.key
            )
            if new is None:
                return False
            for room_id in sorted(rooms):
                if item.ends is not None:
                    older = _trigger_id(item.namespace, item.ends, room_id)
                    await self._cancel(connection, older)
                await self._store(connection, item, room_id, rooms[room_id])
        return True

    async def forget(self, kept: timedelta) -> None:
        """Erase the keys of what is so old that nobody finds it again."""
        await self._database.execute(
            self._sql["forget"], keep_ms=round(kept / timedelta(milliseconds=1))
        )

    async def _store(
        self, connection: Connection, item: NewsItem, room_id: RoomID, delay: timedelta
    ) -> None:
        trigger_id = item.trigger_id(room_id)
        # In the order published, so that no older card takes the place of a newer one; what waits
        # does so apart from what does not.
        lane = f"{NEWS}|{room_id}|{item.namespace}"
        if delay:
            lane = f"{lane}|quiet"
        trigger = Trigger(
            id=trigger_id,
            lane=lane_of_job(lane),
            kind=LaneKind.JOB,
            input=json.dumps({**item.input, "room": room_id}),
        )
        if delay:
            await self._later.store_with(connection, trigger, delay)
        else:
            await self._inbox.store_with(connection, [trigger])

    async def _cancel(self, connection: Connection, trigger_id: str) -> None:
        waiting = await connection.fetch_one(self._sql["waiting"], trigger_id=trigger_id)
        if waiting is None:
            return
        await connection.fetch_one(
            self._held["hold_lane"], key=waiting["lane"], kind=LaneKind.JOB.value
        )
        if await connection.fetch_one(self._turns["cancel_queued"], turn_id=waiting["id"]):
            await connection.execute(
                self._turns["drop_unsent"], turn_id=waiting["id"], why=CANCELLED
            )


def _trigger_id(namespace: str, key: str, room_id: RoomID) -> str:
    digest = hashlib.sha256("\0".join((namespace, key, room_id)).encode()).hexdigest()
    return f"{NEWS}:{digest[:32]}"
