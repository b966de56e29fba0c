"""What we know of the rooms we are in: who is there, whether it is encrypted, what we said."""

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from time import monotonic
from typing import Final

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statement, Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.accounts import is_account_missing
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError, TryLaterError
from lycatra_appservice.matrix.events import is_id, mapping, text
from lycatra_appservice.matrix.power import PowerLevels, creators_of
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, EventID, RoomID, UserID

# Two people may leave before such a room can be a DM, and each leaving is an event of its own.
_CROWD: Final = 3
_CROWD_SECONDS: Final = 60.0
_MAX_REMEMBERED: Final = 50_000
_MAX_NAME: Final = 200
_PRESENT: Final = frozenset({"join", "invite"})

ROOM_CHANNEL: Final = "lycatra_room"  # the payload is a room whose people changed


class RoomStore:
    """Rooms in the database, with a memory of crowds for the way in.

    State from before our join is never pushed, so a room that is not known yet is read whole
    from the homeserver once.
    """

    def __init__(self, database: Database, client: MatrixClient, users: VirtualUsers) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "rooms", database.dialect)
        self._client = client
        self._users = users
        self._crowds: dict[RoomID, float] = {}

    def is_crowd(self, room_id: RoomID) -> bool:
        """Whether it surely holds too many people to be a DM; remembered for a minute."""
        until = self._crowds.get(room_id)
        return until is not None and until > monotonic()

    def forget(self, room_id: RoomID) -> None:
        """Look it up again next time."""
        self._crowds.pop(room_id, None)

    def forget_hinted(self, payload: str) -> None:
        """Another replica saw people come or go; nothing named means that any may have."""
        if payload:
            self.forget(RoomID(payload))
        else:
            self._crowds.clear()

    async def recall(self, room_ids: Iterable[RoomID]) -> None:
        """Remember which of these rooms hold a crowd, by what the database knows of them."""
        for room_id in set(room_ids):
            await self._known(room_id)

    async def view(self, room_id: RoomID, *likely: UserID) -> RoomView:
        """What is known of a room, read from the homeserver if nothing is.

        `likely` are our users who are probably in it and are asked first. Raises MatrixError when
        none of us is in it (any more).
        """
        view = await self._known(room_id)
        while view is None:
            await self._read(room_id, likely)
            view = await self._known(room_id)  # unless it was dropped again meanwhile
        return view

    async def apply(self, event: Mapping[str, JSON]) -> None:
        """Follow a state event of a room that is known; others are read whole when needed."""
        room_id = RoomID(event["room_id"])
        self.forget(room_id)
        content = mapping(event.get("content"))
        async with self._database.transaction() as connection:
            match event["type"]:
                case "m.room.member":
                    put = self._sql["put_member"]
                    await self._put_member(connection, put, room_id, event)
                    await connection.notify(ROOM_CHANNEL, room_id)
                case "m.room.encryption":
                    await connection.execute(self._sql["set_encrypted"], room=room_id)
                case "m.room.name":
                    await connection.execute(
                        self._sql["set_name"], room=room_id, name=_clean(content.get("name"))
                    )
                case "m.room.power_levels":
                    await connection.execute(
                        self._sql["set_power"], room=room_id, power=json.dumps(content)
                    )
                case "m.room.join_rules":
                    await connection.execute(
                        self._sql["set_public"],
                        room=room_id,
                        is_public=int(content.get("join_rule") == "public"),
                    )
                case "m.room.tombstone":
                    await connection.execute(
                        self._sql["set_successor"],
                        room=room_id,
                        successor=_room_id(content.get("replacement_room")),
                    )
                case _:
                    pass  # kept by no table: m.room.create never changes

    async def drop_if_left(self, room_id: RoomID) -> None:
        """Forget a room when none of us is in it any more."""
        members = await self._database.fetch(self._sql["get_members"], room=room_id)
        if not self._ours(members, _PRESENT):
            await self.drop(room_id)

    async def drop(self, room_id: RoomID) -> None:
        """Forget a room; it is read whole when it is needed again."""
        self.forget(room_id)
        async with self._database.transaction() as connection:
            await connection.execute(self._sql["drop_room"], room=room_id)
            await connection.notify(ROOM_CHANNEL, room_id)

    async def is_encrypted(self, room_id: RoomID) -> bool:
        """Whether cleartext must not go there: it must not where nobody of us may look."""
        row = await self._database.fetch_one(self._sql["get_room"], room=room_id)
        if row is not None:
            return bool(row["encrypted"])
        try:
            return (await self.view(room_id)).encrypted
        except MatrixError as error:
            if error.outlasted:
                raise
            return True

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

    async def say_once(self, key: str, holder: str) -> bool:
        """True for the first `holder` of the whole deployment, however often it asks."""
        row = await self._database.fetch_one(self._sql["say_once"], key=key, holder=holder)
        return row is not None and row["holder"] == holder

    async def _known(self, room_id: RoomID) -> RoomView | None:
        row = await self._database.fetch_one(self._sql["get_room"], room=room_id)
        if row is None:
            return None
        members = await self._database.fetch(self._sql["get_members"], room=room_id)
        view = self._view(row, members)
        self._remember(view)
        return view

    def _view(self, row: Row, members: Sequence[Row]) -> RoomView:
        return RoomView(
            room_id=RoomID(row["id"]),
            name=row["name"],
            encrypted=bool(row["encrypted"]),
            people={
                UserID(member["user_id"]): member["display_name"]
                for member in members
                if not self._users.is_ours(member["user_id"]) and member["membership"] in _PRESENT
            },
            ours=self._ours(members, {"join"}),
            gone=self._ours(members, {"leave", "ban"}),
            is_space=bool(row["is_space"]),
            is_public=bool(row["is_public"]),
            power=_power_of(row),
            predecessor=RoomID(row["predecessor"]) if row["predecessor"] else None,
            successor=RoomID(row["successor"]) if row["successor"] else None,
            chosen=mapping(json.loads(row["chosen"])) if row["chosen"] else {},
        )

    def _ours(self, members: Sequence[Row], memberships: Set[str]) -> frozenset[UserID]:
        return frozenset(
            UserID(member["user_id"])
            for member in members
            if self._users.is_ours(member["user_id"]) and member["membership"] in memberships
        )

    async def _read(self, room_id: RoomID, likely: Sequence[UserID]) -> None:
        """Read a room's whole state as one of us who is in it, and store it.

        What is pushed while it is read is newer than what is read, and stands.
        """
        await self._database.execute(self._sql["open_room"], room=room_id)
        try:
            state = await self._state(room_id, likely)
        except LycatraError:
            await self._database.execute(self._sql["close_room"], room=room_id)
            raise
        async with self._database.transaction() as connection:
            await connection.execute(
                self._sql["put_room"],
                room=room_id,
                **_facts_in(state),
            )
            for event in state:
                if event.get("type") == "m.room.member":
                    await self._put_member(
                        connection, self._sql["put_read_member"], room_id, event
                    )

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
                if error.status not in {403, 404} or is_account_missing(error):
                    unclear = error
        if unclear is not None:
            # It says nothing about the room: our token is being exchanged, for example.
            raise TryLaterError(unclear.status, unclear.errcode, unclear.reason) from unclear
        raise MatrixError(403, "M_FORBIDDEN", "none of us is in this room")

    async def _put_member(
        self,
        connection: Connection,
        statement: Statement,
        room_id: RoomID,
        event: Mapping[str, JSON],
    ) -> None:
        content = mapping(event.get("content"))
        membership = content.get("membership")
        if not is_id(event.get("state_key")) or not is_id(membership):
            return
        await connection.execute(
            statement,
            room=room_id,
            user_id=event["state_key"],
            membership=membership,
            display_name=_clean(content.get("displayname")),
        )

    def _remember(self, view: RoomView) -> None:
        if len(view.people) < _CROWD:
            self.forget(view.room_id)
            return
        if len(self._crowds) >= _MAX_REMEMBERED:
            self._crowds.clear()
        self._crowds[view.room_id] = monotonic() + _CROWD_SECONDS


def _facts_in(state: Sequence[Mapping[str, JSON]]) -> Mapping[str, object]:
    """The columns of a room, by its state events."""
    events = {event.get("type"): event for event in state if event.get("state_key") == ""}
    contents = {kind: mapping(event.get("content")) for kind, event in events.items()}
    create = contents.get("m.room.create", {})
    creators, above_all = creators_of(events.get("m.room.create", {}))
    return {
        "name": _clean(contents.get("m.room.name", {}).get("name")),
        "encrypted": int("m.room.encryption" in events),
        "is_space": int(create.get("type") == "m.space"),
        "is_public": int(contents.get("m.room.join_rules", {}).get("join_rule") == "public"),
        "power": json.dumps(contents.get("m.room.power_levels")),
        "creators": json.dumps({"users": sorted(creators), "above_all": above_all}),
        "predecessor": _room_id(mapping(create.get("predecessor")).get("room_id")),
        "successor": _room_id(contents.get("m.room.tombstone", {}).get("replacement_room")),
    }


def _power_of(row: Row) -> PowerLevels:
    creators = json.loads(row["creators"])
    content = json.loads(row["power"])
    return PowerLevels(
        content=content if isinstance(content, dict) else None,
        creators=frozenset(UserID(user) for user in creators["users"]),
        creators_above_all=creators["above_all"],
    )


def _room_id(value: JSON) -> str | None:
    return value if is_id(value) and value.startswith("!") else None


def _clean(value: JSON) -> str | None:
    """A name as the database takes it: Postgres refuses NUL and lone surrogates in text."""
    cleaned = text(value).replace("\0", "").encode(errors="replace").decode()
    return cleaned[:_MAX_NAME] or None
