"""Virtual users whose namespace is gone: they leave their rooms, and say why."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.accounts import is_account_missing
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import RoomID, UserID

logger: Final = logging.getLogger(__name__)

IsGone: TypeAlias = Callable[[str], Awaitable[bool]]


class Retirement:
    """A duty of the leader. Safe to repeat: a user is forgotten when it has left every room."""

    def __init__(
        self,
        database: Database,
        client: MatrixClient,
        users: VirtualUsers,
        is_gone: IsGone,
        reason: str,
    ) -> None:
        """`is_gone` is asked with a namespace, and says no while there is doubt.

        The members of a room read `reason`.
        """
        self._database = database
        self._sql = Statements.load(__package__, "presence", database.dialect)
        self._client = client
        self._users = users
        self._is_gone = is_gone
        self._reason = reason

    async def carry_out(self) -> None:
        """Let everybody leave who has nothing left to do. Raises while the homeserver is away."""
        for row in await self._database.fetch(self._sql["all_ghosts"]):
            user = UserID(row["user_id"])
            namespace = self._users.former_namespace_of(user)
            if namespace is not None and await self._is_gone(namespace):
                await self._retire(user)

    async def _retire(self, user: UserID) -> None:
        rooms = await self._rooms_of(user)
        # Each is tried, so that one room does not keep a user in all the others.
        left = [await self._leave(room_id, user) for room_id in rooms]
        if all(left):
            await self._database.execute(self._sql["forget_ghost"], user_id=user)
            logger.info("virtual_user_retired", extra={"user_id": user, "rooms": len(rooms)})

    async def _rooms_of(self, user: UserID) -> list[RoomID]:
        try:
            # Every request of ours names a device, and this one may have lost it.
            await self._client.put_device(self._users.localpart_of(user), as_user=user)
            return list(await self._client.rooms_of(as_user=user))
        except MatrixError as error:
            if not is_account_missing(error):
                raise
            return []  # who is not there any more is in no room

    async def _leave(self, room_id: RoomID, user: UserID) -> bool:
        try:
            await self._client.leave(room_id, self._reason, as_user=user)
        except MatrixError as error:
            if error.outlasted:
                raise
            logger.warning(
                "virtual_user_stays",
                extra={"user_id": user, "room_id": room_id, "error": str(error)},
            )
            return False
        return True
