"""Asking for keys where the homeserver does not push them: one long /sync for each of us."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.calls import text_of
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.crypto.key_devices import KeyDevices
from lycatra_appservice.matrix.crypto.raw_inbox import RawInbox
from lycatra_appservice.matrix.missed import read_keys
from lycatra_appservice.matrix.users import DEVICE_ID, VirtualUsers
from lycatra_appservice.model import JSON, UserID

_WAIT: Final = timedelta(seconds=20)  # of the 30 that a request may take
_NOT_YET: Final = 1.0  # seconds, until a user has a device with keys
_FILTER: Final[Mapping[str, JSON]] = {
    "presence": {"types": []},
    "account_data": {"types": []},
    "room": {"rooms": []},
}


class KeySync:
    """A duty of the leader, which never ends by itself.

    How far it has read is kept by the transaction that keeps what it has read, and the
    homeserver erases that only when it is asked for more.
    """

    def __init__(
        self,
        database: Database,
        client: MatrixClient,
        users: VirtualUsers,
        raw: RawInbox,
        devices: KeyDevices,
    ) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "keys", database.dialect)
        self._client = client
        self._users = users
        self._raw = raw
        self._devices = devices

    async def run(self) -> None:
        """Ask as all of us side by side. Raises what a homeserver may answer."""
        async with asyncio.TaskGroup() as group:
            for user in self._users.all:
                group.create_task(self._follow(user), name=f"keys of {user}")

    async def _follow(self, user: UserID) -> None:
        while True:
            device_id = await self._devices.of(user)
            if device_id == DEVICE_ID:
                await asyncio.sleep(_NOT_YET)
            else:
                await self._ask(user, device_id)

    async def _ask(self, user: UserID, device_id: str) -> None:
        row = await self._database.fetch_one(self._sql["get_next_batch"], user_id=user)
        since = row["next_batch"] if row else None
        answer = await self._client.sync(
            as_user=user,
            since=since,
            event_filter=_FILTER,
            wait=_WAIT if since else timedelta(0),
            device_id=device_id,
        )
        async with self._database.transaction() as connection:
            await self._raw.keep_news(connection, read_keys(answer, user, device_id))
            await connection.execute(
                self._sql["put_next_batch"],
                user_id=user,
                next_batch=text_of(answer, "next_batch"),
            )
