"""Marks our users as helpers of a room, so that clients leave them out of its name and faces.

MSC4171, which Element Web and others follow: the state event `io.element.functional_members`.
"""

import logging
from collections.abc import Collection
from typing import Final

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, UserID

logger: Final = logging.getLogger(__name__)
_TYPE: Final = "io.element.functional_members"


class FunctionalMembers:
    """Set by @lycatra, where the room's power levels let it."""

    def __init__(self, client: MatrixClient, main: UserID) -> None:
        self._client = client
        self._main = main

    async def add(self, room: RoomView, ours: Collection[UserID]) -> None:
        """Have these of us in the list, beside whoever is in it already.

        Not in a DM, which clients would show as a room without anybody. A refusal costs nothing;
        raises LycatraError only while the homeserver is away.
        """
        if room.is_direct or self._main not in room.ours or not ours:
            return
        if not room.power.may_set(self._main, _TYPE):
            return
        try:
            await self._add(room, ours)
        except MatrixError as error:
            if error.outlasted:
                raise
            logger.info(
                "functional_members_refused",
                extra={"room_id": room.room_id, "errcode": error.errcode},
            )

    async def _add(self, room: RoomView, ours: Collection[UserID]) -> None:
        found = await self._client.state_event(room.room_id, _TYPE, as_user=self._main)
        content = mapping(found)
        listed: JSON = content.get("service_members")
        before = listed if isinstance(listed, list) else []
        missing = [user for user in sorted(ours) if user not in before]
        if missing:
            changed = {**content, "service_members": [*before, *missing]}
            await self._client.put_state(room.room_id, _TYPE, changed, as_user=self._main)
