"""When our users leave a room of their own accord."""

from collections.abc import Sequence

from lycatra_appservice.chat import messages
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.heartbeat import control_alias
from lycatra_appservice.matrix.room_facts import PRESENT, members_in
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Outgoing, RoomID, SendKind, UserID
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.text import Text


def leave(room_id: RoomID, user: UserID, reason: Text | None = None) -> Outgoing:
    """The row that lets one of us leave, or refuse an invitation.

    A reason is in English: it goes to a whole room, and nobody asked anything.
    """
    content = {} if reason is None else {"reason": in_english(reason)}
    return Outgoing(kind=SendKind.LEAVE, room_id=room_id, sender=user, content=content)


class Leaving:
    """The rules, for rooms as they are known now."""

    def __init__(self, users: VirtualUsers, rooms: RoomStore, client: MatrixClient) -> None:
        self._users = users
        self._rooms = rooms
        self._client = client

    async def when_deserted(self, room: RoomView) -> Sequence[Outgoing]:
        """All of us leave a room in which nobody is left, except our own.

        What we know may lag behind, or a push was lost: it is not left before the homeserver
        says the same.
        """
        if not room.is_deserted or await self._is_control_room(room.room_id):
            return ()
        if await self._has_people(room):
            await self._rooms.drop(room.room_id)
            return ()
        return self._all_of_us(room, None)

    def without_main(self, room: RoomView) -> Sequence[Outgoing]:
        """Who sends @lycatra away does not want those that it speaks for."""
        return self._all_of_us(room, messages.left_with_main(self._users.main))

    async def tidy(self, turn: Turn) -> Sequence[Outgoing]:
        """The job: leave a room in which we found ourselves without a reason to be there."""
        try:
            room = await self._rooms.view(RoomID(turn.input["room"]))
        except MatrixError as error:
            if error.outlasted:
                raise
            return ()  # left meanwhile
        if room.is_space:
            return self._all_of_us(room, messages.no_spaces(self._users.main))
        return await self.when_deserted(room)

    def _all_of_us(self, room: RoomView, reason: Text | None) -> Sequence[Outgoing]:
        # @lycatra last: it is the one that people look for.
        leaving = sorted(room.ours, key=lambda user: (user == self._users.main, user))
        return [leave(room.room_id, user, reason) for user in leaving if self._users.exists(user)]

    async def _has_people(self, room: RoomView) -> bool:
        """Whether the homeserver knows of somebody who is there, or invited.

        Where none of us may look none of us is, and there is nothing to leave.
        """
        for user in sorted(room.ours):
            try:
                members = await self._client.members(room.room_id, as_user=user)
            except MatrixError as error:
                if error.outlasted:
                    raise
                continue
            rows = members_in(members)
            here = {row["user_id"] for row in rows if row["membership"] in PRESENT}
            return any(not self._users.is_ours(str(each)) for each in here)
        return True

    async def _is_control_room(self, room_id: RoomID) -> bool:
        """Whether it is the heartbeat's, where only a curious admin can ever have been."""
        alias = control_alias(self._users)
        return await self._client.resolve_alias(alias, as_user=self._users.main) == room_id
