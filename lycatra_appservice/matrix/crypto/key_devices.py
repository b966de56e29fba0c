"""Which devices of ours have keys, as every replica may ask."""

from dataclasses import dataclass

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.users import DEVICE_ID
from lycatra_appservice.model import RoomID, UserID


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDevice:
    """A device that encrypts; `fingerprint` is its ed25519 key."""

    device_id: str
    fingerprint: str
    is_signed: bool


class KeyDevices:
    """Reads the accounts' table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "keys", database.dialect)
        self._raw = Statements.load(__package__, "raw_inbox", database.dialect)

    async def of(self, user_id: UserID) -> str:
        """The device to which keys come; the plain one while there is none."""
        device = await self.device_of(user_id)
        return DEVICE_ID if device is None else device.device_id

    async def device_of(self, user_id: UserID) -> KeyDevice | None:
        """The published device of one of our users."""
        row = await self._database.fetch_one(self._sql["get_published"], user_id=user_id)
        if row is None:
            return None
        return KeyDevice(
            device_id=row["device_id"],
            fingerprint=row["signing_key"],
            is_signed=bool(row["signed"]),
        )

    async def waiting_in(self, room_id: RoomID) -> int:
        """How many messages of a room wait for their keys."""
        row = await self._database.fetch_one(self._raw["waiting_in"], room=room_id)
        return 0 if row is None else int(row["waiting"])
