"""mautrix' crypto machine, held to what several replicas and a database need of it.

Source of what is changed here: mautrix 0.21.1, `mautrix.crypto`.
"""

import asyncio
import json
import logging
from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any, Final, cast

from mautrix.crypto import InboundGroupSession, OlmAccount, OlmMachine
from mautrix.crypto.cross_signing_key import CrossSigningSeeds
from mautrix.crypto.encrypt_olm import ClaimKeysList
from mautrix.crypto.store import StateStore
from mautrix.errors import EncryptionError
from mautrix.types import (
    DecryptedOlmEvent,
    DeviceID,
    DeviceIdentity,
    DeviceKeys,
    EncryptedMegolmEventContent,
    EncryptionAlgorithm,
    EventType,
    ForwardedRoomKeyEventContent,
    IdentityKey,
    QueryKeysResponse,
    RoomEncryptionStateEventContent,
    RoomID,
    RoomKeyEventContent,
    SessionID,
    SigningKey,
    SyncToken,
    TrustState,
    UserID,
)
from olm.group_session import OlmGroupSessionError

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.crypto.key_client import KeyClient
from lycatra_appservice.matrix.crypto.key_store import KeyStore
from lycatra_appservice.matrix.crypto.opened import RefusedError, opened
from lycatra_appservice.matrix.crypto.unit import KeyUnits
from lycatra_appservice.matrix.events import is_id
from lycatra_appservice.model import JSON

logger: Final = logging.getLogger(__name__)

_NOW: Final = SyncToken("")
_LONGEST: Final = {"rotation_period_msgs": 10_000, "rotation_period_ms": 30 * 86_400_000}


class NoKeyError(LycatraError):
    """A message cannot be read yet: its key may come."""


class _States(StateStore):
    """Asked by the machine; rooms are looked up by whoever drives it, before it is driven."""

    def __init__(self) -> None:
        self.rotation = _rotation()

    async def is_encrypted(self, room_id: RoomID) -> bool:
        return True

    async def get_encryption_info(self, room_id: RoomID) -> RoomEncryptionStateEventContent:
        return self.rotation

    async def find_shared_rooms(self, user_id: UserID) -> list[RoomID]:
        return []


class KeyMachine(OlmMachine):
    """The machine of one of our users. Whoever drives it holds its lock, and loads it first."""

    account: OlmAccount
    client: KeyClient  # type: ignore[assignment] # all that it asks of a whole client
    crypto_store: KeyStore

    def __init__(self, client: KeyClient, store: KeyStore, units: KeyUnits) -> None:
        self._states = _States()
        super().__init__(cast("Any", client), store, self._states)
        self._units = units
        self.wedged: list[tuple[UserID, IdentityKey]] = []  # whom to begin anew with
        self.received: list[SessionID] = []  # whose room keys have come
        self._giver: asyncio.Task[Any] | None = None  # who gives a room key out just now
        # Of our own messages nothing has to be read again.
        self.dont_store_outbound_keys = True

    def rotate_by(self, content: Mapping[str, JSON]) -> None:
        """How long a room key lasts, by the content of the room's `m.room.encryption`."""
        rotation = _rotation()
        for name, most in _LONGEST.items():
            value = content.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                setattr(rotation, name, min(value, most))
        self._states.rotation = rotation

    # --- what would ask the homeserver in the middle of a transaction ----------------------

    async def get_or_fetch_device_by_key(
        self, user_id: UserID, identity_key: IdentityKey
    ) -> DeviceIdentity | None:
        """Who drives it has asked before it began a transaction."""
        if self._units.is_open:
            return await self.crypto_store.find_device_by_key(user_id, identity_key)
        return await super().get_or_fetch_device_by_key(user_id, identity_key)

    async def resolve_trust(self, device: DeviceIdentity, allow_fetch: bool = True) -> TrustState:
        """A room key goes to everybody who is in the room, on every device."""
        return TrustState.UNVERIFIED

    def _unwedge_session(
        self, sender: UserID, sender_key: IdentityKey
    ) -> Coroutine[Any, Any, None]:
        """Its caller makes a task of it: leave it to whoever drives the machine."""
        self.wedged.append((sender, sender_key))
        return _nothing()

    async def begin_anew(self, sender: UserID, sender_key: IdentityKey) -> None:
        """Give a device whose messages we cannot read a new session with us; seldom."""
        await super()._unwedge_session(sender, sender_key)

    def _mark_session_received(self, session_id: SessionID) -> None:
        self.received.append(session_id)

    async def _create_outbound_sessions(
        self, users: ClaimKeysList, _force_recreate_session: bool = False
    ) -> None:
        """Not where a room key is given out: it was done before, without the lock."""
        if not self._is_giving:
            await super()._create_outbound_sessions(users, _force_recreate_session)

    async def _fetch_keys(
        self, users: list[UserID], since: SyncToken = _NOW, include_untracked: bool = False
    ) -> dict[UserID, dict[DeviceID, DeviceIdentity]]:
        """The same."""
        if self._is_giving:
            return {}
        found: dict[UserID, dict[DeviceID, DeviceIdentity]] = await super()._fetch_keys(
            users, since, include_untracked
        )
        return found

    async def meet(self, users: ClaimKeysList) -> None:
        """Begin a session with each of these devices that has none; needs no lock."""
        try:
            await self._create_outbound_sessions(users)
        except LycatraError:
            raise
        except Exception as error:  # noqa: BLE001 (mautrix raises it for a device without keys)
            self.log.info("devices_without_keys", extra={"error": str(error)})

    async def fetch_devices(self, users: Sequence[UserID]) -> Collection[UserID]:
        """Ask for the devices of people and keep them; those whose were told. Needs no lock."""
        async with self._fetch_keys_lock:
            found: Collection[UserID] = await self._fetch_keys(list(users), include_untracked=True)
        return found

    async def give_key(self, room_id: RoomID, people: Sequence[UserID], members: str) -> None:
        """Begin a new session of this room and give its key to all devices that we have met."""
        await self.crypto_store.remove_outbound_group_session(room_id)
        self.crypto_store.members = members
        self._giver = asyncio.current_task()
        try:
            await self.share_group_session(room_id, list(people))
        finally:
            self._giver = None

    @property
    def _is_giving(self) -> bool:
        """Whether this very task does; others meet the devices of their rooms meanwhile."""
        return self._giver is not None and self._giver is asyncio.current_task()

    async def _encrypt_megolm_event(
        self, room_id: RoomID, event_type: EventType, content: Mapping[str, JSON]
    ) -> EncryptedMegolmEventContent:
        """The same with letters as they are: as escapes most of them take thrice the room."""
        session = await self.crypto_store.get_outbound_group_session(room_id)
        if session is None:
            raise EncryptionError("No group session created")
        told = {"room_id": room_id, "type": event_type.serialize(), "content": content}
        plaintext = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        ciphertext = session.encrypt(plaintext)  # type: ignore[no-untyped-call]
        await self.crypto_store.update_outbound_group_session(session)
        return EncryptedMegolmEventContent(
            sender_key=self.account.identity_key,
            device_id=self.client.device_id,
            ciphertext=ciphertext,
            session_id=SessionID(session.id),
        )

    async def open_event(self, event: Mapping[str, JSON]) -> dict[str, JSON]:
        """Decrypt an event of a room; all besides its type and content is as it came.

        Raises NoKeyError, and RefusedError for what stood in another event before.
        """
        content = event["content"]
        room_id, session_id = RoomID(event["room_id"]), SessionID(content["session_id"])
        session = await self.crypto_store.get_group_session(room_id, session_id)
        if session is None:
            raise NoKeyError("its key has not come")
        try:
            plaintext, place = session.decrypt(content["ciphertext"])
        except (OlmGroupSessionError, ValueError) as error:
            raise NoKeyError(f"its key does not fit: {error}") from error
        if not await self.crypto_store.validate_message_index(
            session.sender_key, session_id, event["event_id"], place, event["origin_server_ts"]
        ):
            raise RefusedError("another event had this place")
        await self._expect_sender(event["sender"], session)
        return opened(event, plaintext)

    async def _expect_sender(self, sender: UserID, session: InboundGroupSession) -> None:
        """Refuse a key that its device did not make."""
        device = await self.crypto_store.find_device_by_key(sender, session.sender_key)
        if device is not None and device.signing_key != session.signing_key:
            raise RefusedError("its session was not made by its device")

    # --- what one person could break for all others ----------------------------------------

    async def _store_device_self_signatures(
        self, device_keys: DeviceKeys, self_signing_key: SigningKey | None
    ) -> None:
        """Nothing is decided by it."""

    async def _store_cross_signing_keys(self, resp: QueryKeysResponse, user_id: UserID) -> None:
        """Nothing is decided by it."""

    async def on_devices_changed(self, user_id: UserID) -> None:
        """All of us begin a new session wherever this person is."""
        await self.crypto_store.person_changed(user_id)

    async def _ratchet_session(self, sess: InboundGroupSession, index: int) -> None:
        """Keys are kept whole until they are erased; replays are told by their place."""

    async def _receive_room_key(self, evt: DecryptedOlmEvent) -> None:
        """Taken from anybody, if it can be stored at all."""
        content = evt.content
        if isinstance(content, RoomKeyEventContent) and all(
            is_id(each) for each in (content.room_id, content.session_id, evt.keys.ed25519)
        ):
            await super()._receive_room_key(evt)

    async def _receive_forwarded_room_key(self, evt: DecryptedOlmEvent) -> None:
        """Taken only from the device whose key it is: others could give us one of their own."""
        content = evt.content
        if not isinstance(content, ForwardedRoomKeyEventContent):
            return
        told = (content.room_id, content.session_id, content.signing_key)
        if content.sender_key == evt.sender_key and all(map(is_id, told)):
            content.forwarding_key_chain = []  # it comes from whom it belongs to
            await super()._receive_forwarded_room_key(evt)

    # --- our own keys ------------------------------------------------------------------------

    async def publish_signing_keys(self, seeds: CrossSigningSeeds) -> None:
        """Publish the keys by which this user signs, and sign this device with them.

        Those that are there already stay: Synapse (1.163) answers 500 to the same ones again.
        """
        keys = seeds.to_keys()
        if await self.client.signing_keys() != set(keys.public_keys):
            await self._publish_cross_signing_keys(keys)
        self._cross_signing_private_keys = keys
        await self.sign_own_device(self.own_identity)


def _rotation() -> RoomEncryptionStateEventContent:
    return RoomEncryptionStateEventContent(algorithm=EncryptionAlgorithm.MEGOLM_V1)


async def _nothing() -> None:
    """What is left for a task to do."""
