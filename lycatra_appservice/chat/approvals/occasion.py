"""What a changing call is made for."""

from dataclasses import dataclass

from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Face, Inbound, UserID
from lycatra_appservice.turns.turn import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """The message that a call is made for, by whom it is answered, and by which face."""

    turn: Turn
    inbound: Inbound
    room: RoomView
    speaker: UserID
    face: Face
