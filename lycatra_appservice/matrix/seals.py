"""The port through which what goes into an encrypted room is encrypted."""

from collections.abc import Mapping
from typing import Protocol

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON, RoomID, UserID


class SealLaterError(LycatraError):
    """It could not be encrypted now; nothing has been sent, and the same may go later."""


class CannotSealError(LycatraError):
    """It can never be encrypted for this room."""


class FileSeals(Protocol):
    """Encrypts and decrypts files; every replica can, as each file has a key of its own."""

    def new_key(self, data: bytes) -> Mapping[str, JSON]:
        """A key for these bytes: an `EncryptedFile` of the specification without its `url`."""

    def close(self, data: bytes, key: Mapping[str, JSON]) -> bytes:
        """The bytes to upload; again the same for the same."""

    def open(self, data: bytes, key: Mapping[str, JSON]) -> bytes:
        """What was uploaded like that. Raises ValueError when it is something else."""


class Seals(Protocol):
    """Encryption as every replica has it, with or without the keys."""

    @property
    def files(self) -> FileSeals:
        """The same for files."""

    async def seal(
        self,
        txn_id: str,
        room_id: RoomID,
        event_type: str,
        content: Mapping[str, JSON],
        *,
        as_user: UserID,
    ) -> Mapping[str, JSON]:
        """The content of the `m.room.encrypted` that says the same; again the same for the same.

        Raises SealLaterError and CannotSealError.
        """

    async def read(self, event: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """An event as what it is; as it came if it is not encrypted, or cannot be read."""

    async def over(self, txn_id: str) -> None:
        """It was sent."""
