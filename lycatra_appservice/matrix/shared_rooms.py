"""Which rooms we share with a person, and who brought us into one, as far as we know."""

from collections.abc import Sequence

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import RoomID, UserID


class SharedRooms:
    """Looks at what the tables say now; a room that is not known yet is not found."""

    def __init__(
        self,
        database: Database,
        rooms: RoomStore,
        users: VirtualUsers,
        *,
        decrypts: bool = False,
    ) -> None:
        """`decrypts`: encrypted rooms count, too."""
        self._database = database
        self._sql = Statements.load(__package__, "shared_rooms", database.dialect)
        self._rooms = rooms
        self._users = users
        self._decrypts = decrypts

    async def direct_with(self, person: UserID) -> Sequence[RoomID]:
        """Direct rooms that @lycatra and this person are in, and that we can read."""
        rows = await self._database.fetch(
            self._sql["shared_with"],
            person=person,
            main=self._users.main,
            encrypted=int(self._decrypts),
        )
        found = []
        for row in rows:
            view = await self._rooms.known(RoomID(row["id"]))
            if view is not None and view.is_direct:
                found.append(view.room_id)
        return found

    async def inviter_of(self, room_id: RoomID) -> UserID | None:
        """Who invited one of us last."""
        row = await self._database.fetch_one(self._sql["inviter_of"], room=room_id)
        return UserID(row["inviter"]) if row else None
