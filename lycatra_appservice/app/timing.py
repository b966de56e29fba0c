"""Wiring of what is said later."""

from lycatra_appservice.app.coming_and_going import Ground
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.handlers.state import OnLeft
from lycatra_appservice.chat.timers import TimerJob
from lycatra_appservice.model import RoomID
from lycatra_appservice.turns.known import KnownTurns
from lycatra_appservice.turns.timers import TimerTable


def build_timers(ground: Ground, composer: Composer) -> TimerJob:
    """Put it together."""
    return TimerJob(
        TimerTable(ground.database),
        KnownTurns(ground.database),
        ground.users,
        ground.rooms,
        ground.gate,
        composer,
    )


def both(first: OnLeft, second: OnLeft) -> OnLeft:
    """Two things that are to be done when one of us has left a room."""

    async def left(room_id: RoomID) -> None:
        await first(room_id)
        await second(room_id)

    return left
