"""The typing notice while an answer is being made; always cleared, whatever happens."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.model import RoomID, UserID

logger = logging.getLogger(__name__)

_LASTING: Final = timedelta(seconds=30)  # what stands after a crash ends by itself
_REFRESH_SECONDS: Final = 20.0
_PATIENCE: Final = timedelta(seconds=5)  # the answer waits for the notice to be cleared


class TypingNotice:
    """Best effort: a homeserver that will not have it costs the answer nothing."""

    def __init__(self, client: MatrixClient) -> None:
        self._client = client.within(_PATIENCE)

    @contextlib.asynccontextmanager
    async def shown(self, room_id: RoomID, user: UserID) -> AsyncIterator[None]:
        """Show that a user of ours is typing for as long as the block runs."""
        keeping = asyncio.create_task(self._keep(room_id, user), name="typing")
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._set(room_id, user, on=False)

    async def _keep(self, room_id: RoomID, user: UserID) -> None:
        while True:
            await self._set(room_id, user, on=True)
            await asyncio.sleep(_REFRESH_SECONDS)

    async def _set(self, room_id: RoomID, user: UserID, *, on: bool) -> None:
        try:
            await self._client.typing(room_id, on, _LASTING, as_user=user)
        except LycatraError as error:
            logger.debug("typing_failed", extra={"error": str(error)})
