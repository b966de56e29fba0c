"""How a verification reaches the other side, and what it needs to know of both."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Protocol

from mautrix.types import DeviceID

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.crypto.devices_of_people import DevicesOfPeople
from lycatra_appservice.matrix.crypto.keyring import Keyring
from lycatra_appservice.matrix.crypto.sealer import Sealer
from lycatra_appservice.matrix.crypto.secret import KeySecret
from lycatra_appservice.matrix.crypto.verification import OwnKeys
from lycatra_appservice.model import JSON, RoomID, UserID

_SEALED = "m.room.encrypted"


class EmojiShown(Protocol):
    """Who says in a room which emoji we see."""

    async def show(
        self, ours: UserID, to: UserID, room_id: RoomID, emoji: Sequence[tuple[str, str]]
    ) -> None:
        """Have it said, once."""


class Verifying:
    """The `VerificationPorts` of the owner of the keys."""

    def __init__(
        self,
        database: Database,
        client: MatrixClient,
        keyring: Keyring,
        devices: DevicesOfPeople,
        sealer: Sealer,
        secret: KeySecret,
        shown: EmojiShown,
    ) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "keys", database.dialect)
        self._client = client
        self._keyring = keyring
        self._devices = devices
        self._sealer = sealer
        self._secret = secret
        self._shown = shown

    async def own_keys(self, ours: UserID) -> OwnKeys:
        """What the other side is to know us by."""
        machine = await self._keyring.look(ours)
        public = self._secret.seeds(ours).to_keys().public_keys
        return OwnKeys(
            user_id=ours,
            device_id=machine.client.device_id,
            device_key=machine.account.signing_key,
            master_key=public.master_key,
        )

    async def their_device_key(self, ours: UserID, user: UserID, device_id: str) -> str | None:
        """The ed25519 key of somebody's device."""
        machine = await self._keyring.look(ours)
        await self._devices.refresh(machine, [user])
        device = await machine.crypto_store.get_device(user, DeviceID(device_id))
        return None if device is None else str(device.signing_key)

    async def send_to_device(
        self, ours: UserID, to: UserID, device_id: str, type_: str, content: Mapping[str, JSON]
    ) -> None:
        """Between devices, in clear, as the specification has it."""
        machine = await self._keyring.look(ours)
        await self._client.send_to_device(
            type_,
            secrets.token_hex(16),
            {to: {device_id: content}},
            as_user=ours,
            device_id=machine.client.device_id,
        )

    async def send_in_room(
        self, ours: UserID, room_id: RoomID, type_: str, content: Mapping[str, JSON]
    ) -> None:
        """In the room, encrypted where it is."""
        row = await self._database.fetch_one(self._sql["encryption"], room=room_id)
        if row is None or row["encrypted"]:
            content = await self._sealer.seal_now(room_id, type_, content, as_user=ours)
            type_ = _SEALED
        await self._client.send_event(room_id, type_, secrets.token_hex(16), content, as_user=ours)

    async def show(
        self,
        ours: UserID,
        to: UserID,
        room_id: RoomID | None,
        emoji: Sequence[tuple[str, str]],
    ) -> None:
        """Say which emoji we see; between devices there is nowhere to say it."""
        if room_id is not None:
            await self._shown.show(ours, to, room_id, emoji)
