"""An event on its way into a room: in clear, or encrypted where the room is."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.encrypted_notice import is_encrypted_notice
from lycatra_appservice.matrix.seals import CannotSealError, SealLaterError, Seals
from lycatra_appservice.model import JSON, EventID, RoomID, SendKind
from lycatra_appservice.turns.delivery import Delivered, Delivery, Dropped, RetryLater, SendRow

IsEncrypted: TypeAlias = Callable[[RoomID], Awaitable[bool]]

ENCRYPTED: Final = "m.room.encrypted"
_CARRIES_TEXT: Final = frozenset({SendKind.MESSAGE, SendKind.CARD, SendKind.EDIT, SendKind.UPLOAD})


class Posting:
    """Sends the events of rows. Cleartext never goes into an encrypted room.

    `is_encrypted` is asked before everything that carries text or a file, each time: a room may
    have become encrypted a moment ago. It raises MatrixError where nobody of us may look, which is
    judged like the same answer to a send; what else it raises passes through, and nothing is sent.
    """

    def __init__(
        self, client: MatrixClient, is_encrypted: IsEncrypted, seals: Seals | None
    ) -> None:
        """Without `seals` nothing can be said in an encrypted room but that."""
        self._client = client
        self._is_encrypted = is_encrypted
        self.seals = seals

    async def is_closed(self, row: SendRow) -> bool:
        """Whether a row has to be encrypted, or cannot go out at all without `seals`."""
        if row.kind not in _CARRIES_TEXT and (
            row.kind is not SendKind.REACTION or self.seals is None
        ):
            return False
        is_fixed = row.kind is SendKind.MESSAGE and is_encrypted_notice(row.content, row.room_id)
        return not is_fixed and await self._is_encrypted(row.room_id)

    async def post(
        self, row: SendRow, event_type: str, content: Mapping[str, JSON], *, closed: bool
    ) -> Delivery:
        """Send the event of a row. Raises MatrixError and HomeserverUnavailableError."""
        if not closed:
            return Delivered(await self._put(row, event_type, content))
        if self.seals is None:
            return Dropped("encrypted room")
        try:
            sealed = await self.seals.seal(
                row.txn_id, row.room_id, event_type, content, as_user=row.sender
            )
        except CannotSealError as error:
            return Dropped(str(error))
        except SealLaterError as error:
            return RetryLater(None, str(error))
        delivered = Delivered(await self._put(row, ENCRYPTED, sealed))
        await self.seals.over(row.txn_id)
        return delivered

    async def _put(self, row: SendRow, event_type: str, content: Mapping[str, JSON]) -> EventID:
        return await self._client.send_event(
            row.room_id, event_type, row.txn_id, content, as_user=row.sender
        )
