"""Which devices of ours have keys, as every replica may ask."""

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.users import DEVICE_ID
from lycatra_appservice.model import UserID


class KeyDevices:
    """Reads the accounts' table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "keys", database.dialect)

    async def of(self, user_id: UserID) -> str:
        """The device to which keys come; the plain one while there is none."""
        row = await self._database.fetch_one(self._sql["get_published"], user_id=user_id)
        return str(row["device_id"]) if row else DEVICE_ID
