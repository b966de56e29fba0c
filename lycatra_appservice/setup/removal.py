"""Taking our users out of a homeserver again: rooms left with a reason, accounts ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.db.migrate import read_schema
from lycatra_appservice.db.open import open_database
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.accounts import is_account_missing
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.setup_client import SetupClient
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.settings import DatabaseSettings

REASON: Final = "Lycatra is being removed from this homeserver."
_GHOSTS: Final = parse_statement("removal_ghosts", "SELECT user_id FROM ghost ORDER BY user_id")


@dataclass(frozen=True, slots=True)
class Leaving:
    """One of our users that exists, and the rooms it is in."""

    user_id: UserID
    rooms: Sequence[RoomID]

    @property
    def rooms_in_words(self) -> str:
        """Their number."""
        return "1 room" if len(self.rooms) == 1 else f"{len(self.rooms)} rooms"


async def earlier_users(settings: DatabaseSettings) -> Sequence[UserID]:
    """Users that the database knows, of namespaces that may be gone by now.

    Raises StoreUnavailableError.
    """
    if settings.sqlite_file is not None and not settings.sqlite_file.exists():
        return []
    database = (await open_database(settings.url.get_secret_value(), pool_size=2)).database
    try:
        if (await read_schema(database)).version == 0:
            return []
        return [UserID(row["user_id"]) for row in await database.fetch(_GHOSTS)]
    finally:
        await database.close()


class Removal:
    """Looks first, then acts; either may be repeated. `tell` gets a line a step."""

    def __init__(
        self, client: SetupClient, users: VirtualUsers, tell: Callable[[str], None]
    ) -> None:
        self._client = client
        self._users = users
        self._tell = tell

    async def plan(self, earlier: Sequence[UserID]) -> Sequence[Leaving]:
        """Find our users and their rooms; @lycatra comes last, the others may need it.

        Raises MatrixError.
        """
        named = [*self._users.all[1:], *earlier, self._users.sender, self._users.main]
        ours = dict.fromkeys(user for user in named if self._users.is_ours(user))
        ours[self._users.main] = ours.pop(self._users.main)
        found = [await self._leaving(user) for user in ours]
        return [leaving for leaving in found if leaving is not None]

    async def carry_out(self, plan: Sequence[Leaving]) -> bool:
        """Do it all; False when something was refused, which has been told then."""
        has_main = any(leaving.user_id == self._users.main for leaving in plan)
        done = [await self._remove_alias()] if has_main else []
        for leaving in plan:
            done += [await self._leave(room_id, leaving.user_id) for room_id in leaving.rooms]
            done.append(await self._deactivate(leaving))
        return all(done)

    async def _leaving(self, user: UserID) -> Leaving | None:
        try:
            return Leaving(user, await self._client.joined_rooms(user))
        except MatrixError as refused:
            if is_account_missing(refused):
                return None
            raise

    async def _remove_alias(self) -> bool:
        """The technical room's name: another Lycatra could not take it."""
        local = f"{self._users.localpart_of(self._users.main)}_control"
        alias = f"#{local}:{self._users.server_name}"
        try:
            if await self._client.remove_alias(alias, self._users.main):
                self._tell(f"{alias} is removed")
        except LycatraError as failed:
            self._tell(f"{alias} could not be removed: {failed}")
            return False
        return True

    async def _leave(self, room_id: RoomID, user: UserID) -> bool:
        try:
            await self._client.leave_for_good(room_id, REASON, user)
        except LycatraError as failed:
            self._tell(f"{user} could not leave {room_id}: {failed}")
            return False
        return True

    async def _deactivate(self, leaving: Leaving) -> bool:
        try:
            await self._client.deactivate(leaving.user_id)
        except LycatraError as failed:
            self._tell(f"{leaving.user_id} could not be deactivated: {failed}")
            return False
        self._tell(f"{leaving.user_id} has left {leaving.rooms_in_words} and is deactivated")
        return True
