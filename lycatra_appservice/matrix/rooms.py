"""What we know of the rooms we are in: who is there, whether it is encrypted, what we said."""

import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.accounts import is_account_missing, was_never_registered
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.crowds import Crowds
from lycatra_appservice.matrix.errors import HomeserverUnavailableError, MatrixError, TryLaterError
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.power import PowerLevels
from lycatra_appservice.matrix.room_facts import (
    PRESENT,
    change_by,
    facts_in,
    is_open,
    members_in,
)
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, EventID, RoomID, UserID

logger: Final = logging.getLogger(__name__)

_SOME: Final = 60  # members that are looked at for one who is not ours

ROOM_CHANNEL: Final = "lycatra_room"  # the payload is a room whose people changed

OnRead: TypeAlias = Callable[[RoomView], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Footing:
    """Somebody's standing, and how long ago the room was read whole."""

    standing: Standing
    read_ago: timedelta


class RoomStore:
    """Rooms in the database, with a memory of crowds for the way in.

    State from before our join is never pushed, so a room that is not known yet is read whole
    from the homeserver once. What is pushed afterwards is kept in the commit that stores it, so
    that whatever came later sees it.
    """

    def __init__(
        self,
        database: Database,
        client: MatrixClient,
        users: VirtualUsers,
        on_read: OnRead | None = None,
    ) -> None:
        """`on_read` is told of each room that was read whole: nobody was told what it became."""
        self._database = database
        self._sql = Statements.load(__package__, "rooms", database.dialect)
        self._client = client
        self._users = users
        self._on_read = on_read
        self._crowds = Crowds()

    def is_crowd(self, room_id: RoomID) -> bool:
        """Whether it surely holds too many people to be a DM; remembered for a minute."""
        return room_id in self._crowds

    def forget(self, room_id: RoomID) -> None:
        """Look it up again next time."""
        self._crowds.forget(room_id)

    def forget_hinted(self, payload: str) -> None:
        """Another replica saw people come or go; nothing named means that any may have."""
        if payload:
            self._crowds.forget(RoomID(payload))
        else:
            self._crowds.forget_all()

    async def recall(self, room_ids: Iterable[RoomID]) -> None:
        """Remember which of these rooms hold a crowd, by what the database knows of them."""
        for room_id in set(room_ids):
            await self.known(room_id)

    async def view(self, room_id: RoomID, *likely: UserID) -> RoomView:
        """What is known of a room, read from the homeserver if nothing is.

        `likely` are our users who are probably in it and are asked first. Raises MatrixError when
        none of us is in it (any more).
        """
        view = await self.known(room_id)
        while view is None:
            is_news = await self._read(room_id, likely)
            view = await self.known(room_id)  # unless it was dropped again meanwhile
            if is_news and view is not None and self._on_read is not None:
                await self._on_read(view)
        return view

    async def known(self, room_id: RoomID) -> RoomView | None:
        """What is known of a room, without asking anybody."""
        row = await self._database.fetch_one(self._sql["get_room"], room=room_id)
        if row is None:
            return None
        members = await self._database.fetch(self._sql["get_members"], room=room_id)
        view = self._view(row, members)
        self._crowds.remember(view.room_id, len(view.people))
        return view

    async def standing(self, room_id: RoomID, user_id: UserID) -> Footing | None:
        """How somebody stands in a room, by what was pushed; None for one that is not known."""
        row = await self._database.fetch_one(
            self._sql["get_footing"], room=room_id, user_id=user_id
        )
        if row is None:
            return None
        return Footing(
            standing=Standing(
                room_id=room_id,
                is_joined=row["footing"] == "join",
                power=_power_of(row).of(user_id),
            ),
            read_ago=timedelta(milliseconds=row["read_ago_ms"]),
        )

    async def keep(self, connection: Connection, events: Sequence[Mapping[str, JSON]]) -> None:
        """Follow new state events of rooms that are known, in the transaction that stores them.

        Rooms that are not known are read whole when needed. The events of a room come in order.
        """
        for event in sorted(events, key=_room_of):  # the lock order of every replica
            change = change_by(event)
            if change is None:
                continue
            room_id = _room_of(event)
            await connection.execute(self._sql[change.statement], room=room_id, **change.values)
            if change.statement == "put_member":
                self.forget(room_id)
                await connection.notify(ROOM_CHANNEL, room_id)

    async def drop_in(self, connection: Connection, room_ids: Iterable[RoomID]) -> None:
        """Forget rooms in somebody else's transaction; each is read whole when needed again."""
        for room_id in sorted(set(room_ids)):
            self.forget(room_id)
            await connection.execute(self._sql["drop_room"], room=room_id)
            await connection.notify(ROOM_CHANNEL, room_id)

    async def drop(self, room_id: RoomID) -> None:
        """Forget a room; it is read whole when it is needed again."""
        async with self._database.transaction() as connection:
            await self.drop_in(connection, [room_id])

    async def drop_if_left(self, room_id: RoomID) -> None:
        """Forget a room when none of us is in it any more."""
        members = await self._database.fetch(self._sql["get_members"], room=room_id)
        if not self._ours(members, PRESENT):
            await self.drop(room_id)

    async def has_people(self, room_id: RoomID) -> bool:
        """Whether somebody who is not ours is surely in a room, or invited, by what is known.

        Cheap also where thousands are; when in doubt it says no.
        """
        rows = await self._database.fetch(self._sql["some_present"], room=room_id, at_most=_SOME)
        return any(not self._users.is_ours(row["user_id"]) for row in rows)

    async def joined(self, room_id: RoomID) -> frozenset[UserID]:
        """The people who are in a room now, none of ours and nobody who is only invited.

        Nobody, where none of us is. Raises MatrixError when it cannot be read for now.
        """
        try:
            room = await self.view(room_id)
        except MatrixError as error:
            if error.outlasted:
                raise
            return frozenset()
        return frozenset(room.people) - room.invited

    async def rooms_upgraded_to(self, successor: RoomID) -> Sequence[RoomID]:
        """The rooms of ours that name this one as the room that continues them."""
        rows = await self._database.fetch(self._sql["rooms_upgraded_to"], successor=successor)
        return [RoomID(row["id"]) for row in rows]

    async def carry_settings_over(self, room_id: RoomID, successor: RoomID) -> None:
        """Let what was chosen with `!settings` hold in the room that continues this one."""
        await self._database.execute(
            self._sql["carry_settings_over"], room=room_id, successor=successor
        )

    async def is_encrypted(self, room_id: RoomID) -> bool:
        """Whether cleartext must not go there.

        Raises MatrixError where nobody of us may look: then nothing may be said there, either.
        """
        row = await self._database.fetch_one(self._sql["get_room"], room=room_id)
        if row is not None:
            return bool(row["encrypted"])
        return (await self.view(room_id)).encrypted

    async def is_open(self, room: RoomView) -> bool:
        """Whether somebody may come in by himself, as the homeserver says now.

        Yes when that cannot be told.
        """
        host = room.host(self._users.main)
        try:
            rules = await self._client.state_event(room.room_id, "m.room.join_rules", as_user=host)
        except (MatrixError, HomeserverUnavailableError) as error:
            logger.warning("room_unclear", extra={"room_id": room.room_id, "error": str(error)})
            return True
        return is_open(rules or {})

    async def was_let_in(self, room_id: RoomID, user_id: UserID, trigger_id: str) -> bool:
        """Whether a turn has brought one of us into a room, wherever that one is now."""
        row = await self._database.fetch_one(
            self._sql["was_let_in"], room=room_id, user_id=user_id, trigger_id=trigger_id
        )
        return row is not None

    async def speaker_of(self, event_id: EventID | None) -> UserID | None:
        """Which of our users said this; None for what others said."""
        if event_id is None:
            return None
        row = await self._database.fetch_one(self._sql["speaker_of"], event_id=event_id)
        return UserID(row["sender"]) if row else None

    async def answers_in(self, thread: EventID | None) -> bool:
        """Whether a thread begins with a message of ours, or with one that we answered."""
        if thread is None:
            return False
        row = await self._database.fetch_one(self._sql["spoke_or_answered"], event_id=thread)
        return row is not None

    def _view(self, row: Row, members: Sequence[Row]) -> RoomView:
        others = [member for member in members if not self._users.is_ours(member["user_id"])]
        people = {
            UserID(member["user_id"]): member["display_name"]
            for member in others
            if member["membership"] in PRESENT
        }
        return RoomView(
            room_id=RoomID(row["id"]),
            name=row["name"],
            encrypted=bool(row["encrypted"]),
            people=people,
            invited=frozenset(
                UserID(member["user_id"]) for member in others if member["membership"] == "invite"
            ),
            ours=self._ours(members, {"join"}),
            gone=self._ours([member for member in members if member["sent_away"]]),
            is_deserted=bool(others) and not people,
            is_space=bool(row["is_space"]),
            is_public=bool(row["is_public"]),
            power=_power_of(row),
            predecessor=RoomID(row["predecessor"]) if row["predecessor"] else None,
            successor=RoomID(row["successor"]) if row["successor"] else None,
            chosen=mapping(json.loads(row["chosen"])) if row["chosen"] else {},
        )

    def _ours(
        self, members: Sequence[Row], memberships: Set[str] | None = None
    ) -> frozenset[UserID]:
        return frozenset(
            UserID(member["user_id"])
            for member in members
            if self._users.is_ours(member["user_id"])
            and (memberships is None or member["membership"] in memberships)
        )

    async def _read(self, room_id: RoomID, likely: Sequence[UserID]) -> bool:
        """Read a room's whole state as one of us who is in it, and store it; False: in vain.

        What is pushed while it is read is newer than what is read, and stands. In vain is what
        was read of a room that was dropped meanwhile, or that another reader has stored.
        """
        reading = await self._open(room_id)
        if reading is None:
            return False
        try:
            state = await self._state(room_id, likely)
        except LycatraError:
            await self._database.execute(self._sql["close_room"], room=room_id, reading=reading)
            raise
        async with self._database.transaction() as connection:
            stored = await connection.fetch_one(
                self._sql["put_room"], room=room_id, reading=reading, **facts_in(state)
            )
            if stored is not None:
                rows = [{"room": room_id, **member} for member in members_in(state)]
                await connection.execute_many(self._sql["put_read_member"], rows)
        return stored is not None

    async def _open(self, room_id: RoomID) -> str | None:
        """Have changes kept from now on; the mark of this reading, None if it is known by now."""
        async with self._database.transaction() as connection:
            await connection.execute(self._sql["forget_abandoned"], room=room_id)
            row = await connection.fetch_one(
                self._sql["open_room"], room=room_id, reading=secrets.token_hex(8)
            )
        return row["reading"] if row else None

    async def _state(
        self, room_id: RoomID, likely: Sequence[UserID]
    ) -> Sequence[Mapping[str, JSON]]:
        unclear: MatrixError | None = None
        for user in dict.fromkeys([*likely, *self._users.all]):
            try:
                return await self._client.state(room_id, as_user=user)
            except MatrixError as error:
                if error.outlasted:
                    raise
                if was_never_registered(error):
                    continue
                if error.status not in {403, 404} or is_account_missing(error):
                    unclear = error
        if unclear is not None:
            # It says nothing about the room: our token is being exchanged, for example.
            raise TryLaterError(unclear.status, unclear.errcode, unclear.reason) from unclear
        raise MatrixError(403, "M_FORBIDDEN", "none of us is in this room")


def _room_of(event: Mapping[str, JSON]) -> RoomID:
    return RoomID(event["room_id"])


def _power_of(row: Row) -> PowerLevels:
    creators = json.loads(row["creators"])
    content = json.loads(row["power"])
    return PowerLevels(
        content=content if isinstance(content, dict) else None,
        creators=frozenset(UserID(user) for user in creators["users"]),
        creators_above_all=creators["above_all"],
    )
