"""What `!e2ee` says: whether this room is encrypted, and by which device to know us."""

from typing import Protocol

from lycatra_appservice.chat import messages
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.words.text import Text


class OurDevice(Protocol):
    """The device by which one of our users encrypts."""

    @property
    def device_id(self) -> str:
        """Its name."""

    @property
    def fingerprint(self) -> str:
        """Its ed25519 key."""

    @property
    def is_signed(self) -> bool:
        """Whether its owner's keys have signed it."""


class OurDevices(Protocol):
    """What is known of our devices and of what they cannot read."""

    async def device_of(self, user_id: UserID) -> OurDevice | None:
        """The user's device; None while it is not made yet."""

    async def waiting_in(self, room_id: RoomID) -> int:
        """How many messages of a room wait for their keys."""


class SecrecyPage:
    """Reads our own tables only."""

    def __init__(self, devices: OurDevices | None) -> None:
        """Without `devices` encrypted rooms are not read here."""
        self._devices = devices

    async def tell(self, speaker: UserID, room: RoomView) -> Text:
        """The state of this room, and of who speaks in it."""
        if self._devices is None:
            return messages.e2ee_off()
        device = await self._devices.device_of(speaker)
        return messages.e2ee(
            encrypted=room.encrypted,
            device=None
            if device is None
            else messages.e2ee_device(
                speaker, device.device_id, _spaced(device.fingerprint), signed=device.is_signed
            ),
            waiting=await self._devices.waiting_in(room.room_id),
        )


def _spaced(key: str) -> str:
    """In groups of four, as clients show it."""
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))
