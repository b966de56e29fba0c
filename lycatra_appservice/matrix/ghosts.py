"""Our virtual users on the homeserver: registered, with a device and the right profile."""

import hashlib
import logging

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import UserID

logger = logging.getLogger(__name__)


class Ghosts:
    """A duty of the leader. Safe to repeat, and cheap when nothing has changed."""

    def __init__(
        self, database: Database, client: MatrixClient, users: VirtualUsers, avatar: str | None
    ) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "presence", database.dialect)
        self._client = client
        self._users = users
        self._avatar = avatar

    async def ensure(self) -> None:
        """Make every user what the configuration says; write a profile only when it changed.

        A profile that is written makes an event in every room of that user. One user whom the
        homeserver refuses does not keep the others from being made.
        """
        for user in (self._users.sender, *self._users.all):
            try:
                await self._ensure(user)
            except MatrixError as error:
                if error.outlasted:
                    raise
                logger.exception("virtual_user_refused", extra={"user_id": user})

    async def _ensure(self, user: UserID) -> None:
        row = await self._database.fetch_one(self._sql["get_ghost"], user_id=user)
        name = self._users.display_name(user)
        wanted = hashlib.sha256(f"1\0{name}\0{self._avatar}".encode()).hexdigest()
        is_new = await self._client.register(self._users.localpart_of(user))
        # The technical sender, too: every request of ours names a device.
        await self._client.put_device(name, as_user=user)
        if not is_new and row is not None and row["profile_hash"] == wanted:
            return
        await self._write_profile(user, name)
        await self._database.execute(
            self._sql["put_profile_hash"], user_id=user, profile_hash=wanted
        )
        logger.info("virtual_user_ready", extra={"user_id": user})

    async def _write_profile(self, user: UserID, name: str) -> None:
        profile = await self._client.get_profile(user, as_user=user) or {}
        if profile.get("displayname") != name:
            await self._client.put_displayname(name, as_user=user)
        if self._avatar and profile.get("avatar_url") != self._avatar:
            await self._client.put_avatar_url(self._avatar, as_user=user)
