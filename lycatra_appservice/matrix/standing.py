"""How somebody stands in the room where he asks: the facts that rights may depend on. Pure."""

from dataclasses import dataclass
from typing import Final, Self

from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import RoomID, UserID


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`None` stands for what is not known: no grant rests on it, and a denial is assumed."""

    room_id: RoomID | None = None  # None: outside of any room
    is_joined: bool | None = None
    power: int | None = None

    @classmethod
    def unknown(cls, room_id: RoomID) -> Self:
        """For a room that nobody can be asked about now."""
        return cls(room_id=room_id)

    @classmethod
    def seen_in(cls, room: RoomView, user_id: UserID) -> Self:
        """By what is known of a room already; for naming people, not for letting them do it."""
        return cls(
            room_id=room.room_id,
            is_joined=user_id in room.people and user_id not in room.invited,
            power=room.power.of(user_id),
        )

    @classmethod
    def of_inviter(cls, room_id: RoomID) -> Self:
        """Of whoever invites us into a room that we are not in: homeservers let members only."""
        return cls(room_id=room_id, is_joined=True)


NOWHERE: Final = Standing()
