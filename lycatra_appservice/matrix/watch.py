"""Notices that the homeserver was away: what it forgot meanwhile has to be looked for."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import HomeserverUnavailableError, MatrixError

logger = logging.getLogger(__name__)

_PATIENCE: Final = timedelta(seconds=5)


class HomeserverWatch:
    """A duty of the leader.

    Synapse (1.163) loses events that were queued behind a transaction when it is restarted, and
    nothing tells us so but its absence.
    """

    def __init__(self, client: MatrixClient, on_return: Callable[[], Awaitable[None]]) -> None:
        self._client = client.within(_PATIENCE)
        self._on_return = on_return
        self._away = False

    async def look(self) -> None:
        """Look once; call `on_return` when it answers again after it did not."""
        try:
            await self._client.versions()
        except HomeserverUnavailableError as error:
            if not self._away:
                logger.warning("homeserver_away", extra={"error": str(error)})
            self._away = True
            return
        except MatrixError:
            pass  # it answers, whatever it says
        if self._away:
            logger.info("homeserver_back")
            self._away = False
            await self._on_return()
