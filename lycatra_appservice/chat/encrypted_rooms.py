"""Rooms that we cannot read: said so there once, and a direct room opened that we can read."""

import json
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.unasked import Kind, Unasked
from lycatra_appservice.chat.welcome import Welcome
from lycatra_appservice.matrix.direct_rooms import DirectRooms, NoDirectRoomError
from lycatra_appservice.matrix.encrypted_notice import (
    DIRECT_ROOM,
    ENCRYPTED_ROOM,
    EncryptedNotice,
    encrypted_notice,
)
from lycatra_appservice.matrix.errors import MatrixError, TryLaterError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.shared_rooms import SharedRooms
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, LaneKind, Level, Outgoing, RoomID, SendKind, UserID
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import Trigger, lane_of_job
from lycatra_appservice.turns.sending import SendLaterError
from lycatra_appservice.turns.turn import Turn

logger: Final = logging.getLogger(__name__)

_TRIES: Final = 3  # of a room that we were sent away from before it was explained
_SOON: Final = timedelta(seconds=5)
_LATEST: Final = timedelta(minutes=2)
_MAX_REMEMBERED: Final = 10_000


class EncryptedRooms:
    """Has it explained by a turn of its own, which may wait until rooms can be made again.

    Its trigger is made of the room, so there is one for all replicas, and its message is found
    in the room even when the database was lost.
    """

    def __init__(
        self,
        users: VirtualUsers,
        rooms: RoomStore,
        shared: SharedRooms,
        direct: DirectRooms,
        inbox: Inbox,
        unasked: Unasked,
        rights: Rights,
        welcome: Welcome,
        *,
        decrypts: bool = False,
    ) -> None:
        """`decrypts`: such rooms can be read, and nothing has to be explained."""
        self._decrypts = decrypts
        self._users = users
        self._rooms = rooms
        self._shared = shared
        self._direct = direct
        self._inbox = inbox
        self._unasked = unasked
        self._rights = rights
        self._welcome = welcome
        self._explained: set[RoomID] = set()

    async def is_explained(self, room_id: RoomID) -> bool:
        """Whether it has been said, or is being said, that we cannot read this room."""
        if room_id in self._explained:
            return True
        if not await self._unasked.was_said(_once_key(room_id)):
            return False
        if len(self._explained) >= _MAX_REMEMBERED:
            self._explained.clear()
        self._explained.add(room_id)
        return True

    async def found(self, room: RoomView, by: UserID | None = None) -> bool:
        """Have a room that we cannot read explained, once ever; whether it is such a one.

        `by` is who invited us into it or encrypted it, where that is known.
        """
        if self._decrypts or not room.encrypted:
            return False
        await self._have_explained(room, by)
        return True

    async def _have_explained(self, room: RoomView, by: UserID | None) -> None:
        if await self.is_explained(room.room_id):
            return
        person = await self._whom(room, by)
        for n in range(_TRIES):
            name = f"{room.room_id}#{n}" if n else room.room_id
            trigger = _trigger(f"{ENCRYPTED_ROOM}:{name}", room.room_id, person)
            if await self._inbox.store([trigger]):
                return

    async def explain(self, turn: Turn) -> Sequence[Outgoing]:
        """The turn of `found`: the notice in the room, and the direct room."""
        room_id, person = _told(turn)
        room = await self._view(room_id)
        if room is None or not room.encrypted or self._decrypts:
            return ()
        if not await self._unasked.may(turn, room, Kind.ENCRYPTED, _once_key(room_id)):
            return ()
        direct = await turn.step("direct_room", lambda: self._open(person)) if person else None
        if direct is not None:
            trigger = _trigger(f"{DIRECT_ROOM}:{direct}", RoomID(direct), person)
            await self._inbox.store([trigger])
        content = encrypted_notice(
            _notice(room, is_open=direct is not None), self._welcome.language(room), room_id
        )
        host = room.host(self._users.main)
        return [Outgoing(kind=SendKind.MESSAGE, room_id=room_id, sender=host, content=content)]

    async def begin(self, turn: Turn) -> Sequence[Outgoing]:
        """The first words in a direct room that was opened, or found, because of another room."""
        room_id, person = _told(turn)
        room = await self._view(room_id)
        if room is None or room.encrypted or person is None:
            return ()
        if not await self._unasked.may(turn, room, Kind.ENCRYPTED, f"{DIRECT_ROOM}|{room_id}"):
            return ()
        return await self._welcome.rows(
            messages.direct_chat(opened=self._users.main in room.power.creators),
            person,
            self._users.main,
            room,
            {"to": turn.trigger_id, "kind": DIRECT_ROOM},
            notice=False,  # somebody tried to talk to us and waits
        )

    async def _open(self, person: UserID) -> JSON:
        try:
            return await self._direct.open(person)
        except NoDirectRoomError as error:
            logger.warning("no_direct_room", extra={"person": person, "why": str(error)})
            return None
        except TryLaterError as error:
            # Some homeservers let a user make only a few rooms in a minute.
            wait = max(_SOON, min(error.retry_after or _SOON, _LATEST))
            raise SendLaterError(wait, str(error)) from error

    async def _whom(self, room: RoomView, by: UserID | None) -> UserID | None:
        """Who gets the direct room: the person of a direct chat, or who brought us here."""
        if room.is_direct:
            likely: Sequence[UserID | None] = [*room.people]
        else:
            likely = [await self._shared.inviter_of(room.room_id), by]
        for person in likely:
            if person in room.people and await self._may_ask(person):
                return person
        return None

    async def _may_ask(self, person: UserID | None) -> bool:
        # In a room of their own, so nothing that this one gives them counts.
        return person is not None and await self._rights.level(person, None) >= Level.VIEWER

    async def _view(self, room_id: RoomID) -> RoomView | None:
        try:
            return await self._rooms.view(room_id, self._users.main)
        except MatrixError as error:
            if error.outlasted:
                raise
            return None


def _once_key(room_id: RoomID) -> str:
    return f"{ENCRYPTED_ROOM}|{room_id}"


def _trigger(trigger_id: str, room_id: RoomID, person: UserID | None) -> Trigger:
    # In one lane for each person, or two rooms at once would open two direct ones.
    return Trigger(
        id=trigger_id,
        lane=lane_of_job(f"{DIRECT_ROOM}|{person or room_id}"),
        kind=LaneKind.JOB,
        input=json.dumps({"room_id": room_id, "person": person}),
    )


def _told(turn: Turn) -> tuple[RoomID, UserID | None]:
    person = turn.input.get("person")
    return RoomID(turn.input["room_id"]), UserID(person) if person else None


def _notice(room: RoomView, *, is_open: bool) -> EncryptedNotice:
    if not is_open:
        return EncryptedNotice.ALONE
    return EncryptedNotice.DIRECT if room.is_direct else EncryptedNotice.GROUP
