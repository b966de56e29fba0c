"""Reading an event again that the homeserver still has; any replica can, and uses nothing up."""

import json
import logging
from collections.abc import Mapping
from typing import Final

from mautrix.crypto import InboundGroupSession
from mautrix.types import IdentityKey, RoomID, SigningKey
from olm.group_session import OlmGroupSessionError

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.crypto.opened import RefusedError, opened, session_of
from lycatra_appservice.model import JSON

logger: Final = logging.getLogger(__name__)


class RoomReader:
    """Decrypts by the keys that the owner has stored."""

    def __init__(self, database: Database, pickle: str) -> None:
        """`pickle` is what closes the keys in the database."""
        self._database = database
        self._sql = Statements.load(__package__, "keys", database.dialect)
        self._pickle = pickle

    async def read(self, event: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """The event as what it is; as it came if it is not encrypted, or cannot be read."""
        session_id = session_of(event) if event.get("type") == "m.room.encrypted" else None
        if session_id is None:
            return event
        row = await self._database.fetch_one(
            self._sql["get_room_key"], room=event["room_id"], session_id=session_id
        )
        if row is None:
            return event
        try:
            session = InboundGroupSession.from_pickle(
                bytes(row["pickle"]),
                passphrase=self._pickle,
                signing_key=SigningKey(row["signing_key"]),
                sender_key=IdentityKey(row["sender_key"]),
                room_id=RoomID(event["room_id"]),
                forwarding_chain=json.loads(row["chain"]),
            )
            plaintext, place = session.decrypt(event["content"]["ciphertext"])
            read = opened(event, plaintext)
        except (OlmGroupSessionError, RefusedError, ValueError) as error:
            logger.info("event_unreadable", extra={"error": str(error)})
            return event
        return read if await self._is_its_place(session_id, place, event) else event

    async def _is_its_place(self, session_id: str, place: int, event: Mapping[str, JSON]) -> bool:
        row = await self._database.fetch_one(
            self._sql["get_place"], session_id=session_id, place=place
        )
        return row is None or row["event_id"] == event["event_id"]
