"""Work on rooms that takes a turn of its own: following an upgrade, leaving where we are alone."""

import json
import secrets
from typing import Final

from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import LaneKind, RoomID
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import Trigger, lane_of_job

FOLLOW: Final = "follow"
TIDY: Final = "tidy"


def lane_of_joins(room_id: RoomID) -> str:
    """The lane of everything that brings us into a room, so that each sees what came before."""
    return lane_of_job(f"join|{room_id}")


class RoomJobs:
    """Stores the turns; whoever is free runs them."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def follow(self, room_id: RoomID, successor: RoomID) -> None:
        """Have an upgrade followed; however often it is seen, that is one turn."""
        trigger = Trigger(
            id=f"{FOLLOW}:{room_id}|{successor}",
            lane=lane_of_joins(successor),
            kind=LaneKind.JOB,
            input=json.dumps({"room": room_id, "successor": successor}),
        )
        await self._inbox.store([trigger])

    async def after_reading(self, room: RoomView) -> None:
        """Have done what nobody told us of while we were away."""
        if room.successor is not None:
            await self.follow(room.room_id, room.successor)
        if room.is_deserted or room.is_space:
            await self._tidy(room.room_id)

    async def _tidy(self, room_id: RoomID) -> None:
        trigger = Trigger(
            id=f"{TIDY}:{room_id}|{secrets.token_hex(8)}",  # it may become necessary again
            lane=lane_of_joins(room_id),
            kind=LaneKind.JOB,
            input=json.dumps({"room": room_id}),
        )
        await self._inbox.store([trigger])
