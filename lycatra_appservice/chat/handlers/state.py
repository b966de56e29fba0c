"""The state of the rooms that we are in: what follows from it, once it is kept."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from lycatra_appservice.chat.leaving import Leaving
from lycatra_appservice.chat.room_jobs import RoomJobs
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.functional_members import FunctionalMembers
from lycatra_appservice.matrix.room_facts import successor_of
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Outgoing, RoomID, UserID
from lycatra_appservice.turns.turn import Turn

OnLeft: TypeAlias = Callable[[RoomID], Awaitable[None]]


class EncryptedRooms(Protocol):
    """Explains that we cannot read them."""

    async def found(self, room: RoomView, by: UserID | None = None) -> bool:
        """A room is encrypted; `by` is who made it so."""


class StateHandler:
    """Acts on what rooms become. The tables follow by themselves, when an event is stored."""

    def __init__(
        self,
        users: VirtualUsers,
        rooms: RoomStore,
        jobs: RoomJobs,
        leaving: Leaving,
        functional: FunctionalMembers,
        encrypted: EncryptedRooms,
        on_left: OnLeft,
    ) -> None:
        """`on_left` is told of rooms that one of us has left."""
        self._users = users
        self._rooms = rooms
        self._jobs = jobs
        self._leaving = leaving
        self._functional = functional
        self._encrypted = encrypted
        self._on_left = on_left

    async def handle(self, turn: Turn, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        """Leave, move on, explain or do nothing."""
        match event["type"], event["state_key"]:
            case "m.room.member", _:
                return await self._member(event)
            case "m.room.tombstone", "":
                await self._upgraded(event)
            case "m.room.encryption", "":
                await self._locked(event)
            case _:
                pass
        return ()

    async def _locked(self, event: Mapping[str, JSON]) -> None:
        room = await self._room(event)
        if room is not None and room.encrypted:
            await self._encrypted.found(room, UserID(event["sender"]))

    async def _upgraded(self, event: Mapping[str, JSON]) -> None:
        successor = successor_of(mapping(event["content"]))
        if successor is not None:
            await self._jobs.follow(RoomID(event["room_id"]), RoomID(successor))

    async def _member(self, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        membership = mapping(event["content"]).get("membership")
        is_ours = self._users.is_ours(event["state_key"])
        if membership in ("leave", "ban"):
            return await (self._one_of_us_left(event) if is_ours else self._person_left(event))
        if membership == "join" and is_ours and event["state_key"] != self._users.main:
            # When @lycatra comes, it names all itself.
            room = await self._room(event)
            if room is not None:
                await self._functional.add(room, room.ours)
        return ()

    async def _one_of_us_left(self, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        room_id = RoomID(event["room_id"])
        await self._rooms.drop_if_left(room_id)
        await self._on_left(room_id)
        if event["state_key"] != self._users.main or not _was_sent_away(event):
            return ()
        room = await self._room(event)
        # Found late, it may be over: somebody has invited it again.
        if room is None or self._users.main in room.ours:
            return ()
        return self._leaving.without_main(room)

    async def _person_left(self, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        if await self._rooms.has_people(RoomID(event["room_id"])):
            return ()
        room = await self._room(event)
        return () if room is None else await self._leaving.when_deserted(room)

    async def _room(self, event: Mapping[str, JSON]) -> RoomView | None:
        """The room, read if it is not known; None when none of us is in it."""
        try:
            return await self._rooms.view(RoomID(event["room_id"]))
        except MatrixError as error:
            if error.outlasted:
                raise
            return None


def _was_sent_away(event: Mapping[str, JSON]) -> bool:
    """Whether a member of the room was removed, and not just an invitation taken back."""
    before = mapping(mapping(event.get("unsigned")).get("prev_content")).get("membership")
    return event["sender"] != event["state_key"] and before in ("join", None)
