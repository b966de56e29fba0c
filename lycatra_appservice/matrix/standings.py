"""How somebody stands in a room now: as was pushed, and once a minute as the homeserver says."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import HomeserverUnavailableError, MatrixError
from lycatra_appservice.matrix.power import PowerLevels
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import RoomID, UserID

logger: Final = logging.getLogger(__name__)

_BELIEVED: Final = timedelta(seconds=60)  # without asking, in case a push was lost
_PATIENCE: Final = timedelta(seconds=5)  # somebody waits for an answer
_MAX_REMEMBERED: Final = 10_000


class Standings:
    """Asks about one person and one room. What nobody can tell counts as unknown.

    What is pushed is followed at once. That it has not missed anything is looked up when the
    last look of this replica is a minute old, by two small requests.
    """

    def __init__(
        self,
        rooms: RoomStore,
        client: MatrixClient,
        users: VirtualUsers,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`monotonic` gives seconds that never go back."""
        self._rooms = rooms
        self._client = client.within(_PATIENCE)
        self._users = users
        self._monotonic = monotonic
        self._looked_at: dict[tuple[RoomID, UserID], float] = {}

    async def of(self, user_id: UserID, room_id: RoomID) -> Standing:
        """Return it. Raises StoreUnavailableError only."""
        footing = await self._rooms.standing(room_id, user_id)
        if footing is not None and (
            footing.read_ago < _BELIEVED or self._was_looked_at(room_id, user_id)
        ):
            return footing.standing
        try:
            standing = await self._looked_up(user_id, room_id)
        except (MatrixError, HomeserverUnavailableError) as error:
            logger.warning(
                "standing_unknown",
                extra={"room_id": room_id, "user_id": user_id, "error": str(error)},
            )
            return Standing.unknown(room_id)
        self._remember(room_id, user_id)
        return standing

    async def _looked_up(self, user_id: UserID, room_id: RoomID) -> Standing:
        """What the homeserver says; a room of which we know something else is read anew."""
        room = await self._rooms.view(room_id, self._users.main)
        said = await self._said(room, user_id)
        pushed = await self._rooms.standing(room_id, user_id)
        if pushed is not None and pushed.standing == said:
            return said
        # Pushed while we asked, or never pushed: a whole reading knows which of them is newer.
        await self._rooms.drop(room_id)
        await self._rooms.view(room_id, self._users.main)
        found = await self._rooms.standing(room_id, user_id)
        return found.standing if found is not None else Standing.unknown(room_id)

    async def _said(self, room: RoomView, user_id: UserID) -> Standing:
        host = room.host(self._users.main)
        levels, member = await asyncio.gather(
            self._client.state_event(room.room_id, "m.room.power_levels", as_user=host),
            self._client.state_event(room.room_id, "m.room.member", user_id, as_user=host),
        )
        power = PowerLevels(
            content=levels,
            creators=room.power.creators,
            creators_above_all=room.power.creators_above_all,
        )
        is_joined = member is not None and member.get("membership") == "join"
        return Standing(room_id=room.room_id, is_joined=is_joined, power=power.of(user_id))

    def _was_looked_at(self, room_id: RoomID, user_id: UserID) -> bool:
        at = self._looked_at.get((room_id, user_id))
        return at is not None and self._monotonic() - at < _BELIEVED.total_seconds()

    def _remember(self, room_id: RoomID, user_id: UserID) -> None:
        if len(self._looked_at) >= _MAX_REMEMBERED:
            self._looked_at.clear()
        self._looked_at[room_id, user_id] = self._monotonic()
