"""The keys of a person's device: mautrix' crypto machine, and what it asks of a homeserver.

Only imported where somebody wants to encrypt: its libraries are an extra.
"""

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Mapping, Sequence, Set
from contextlib import suppress
from typing import Any, Final, cast

from mautrix.crypto import OlmAccount, OlmMachine
from mautrix.crypto.store import MemoryCryptoStore, StateStore
from mautrix.errors import CryptoError
from mautrix.types import (
    ClaimKeysResponse,
    DeviceID,
    DeviceIdentity,
    DeviceKeys,
    DeviceLists,
    DeviceOTKCount,
    EncryptionAlgorithm,
    EncryptionKeyAlgorithm,
    EventType,
    IdentityKey,
    QueryKeysResponse,
    RoomEncryptionStateEventContent,
    Serializable,
    SessionID,
    ToDeviceEvent,
    TrustState,
)
from olm.group_session import OlmGroupSessionError

from lycatra_appservice.demo.client_api import path_of
from lycatra_appservice.demo.person_client import PersonClient
from lycatra_appservice.matrix.crypto.opened import RefusedError, opened, session_of
from lycatra_appservice.model import JSON, RoomID, UserID

SEALED: Final = "m.room.encrypted"


class KeyCalls:
    """What the machine asks of a homeserver, as one person on one device."""

    def __init__(self, client: PersonClient, device_id: str) -> None:
        self.mxid = client.user_id
        self.device_id = DeviceID(device_id)
        self._client = client

    def add_event_handler(self, *_: object, **__: object) -> None:
        """Nothing comes by itself: the machine is fed with what syncs bring."""

    def dispatch_event(self, event: object, source: object) -> None:
        """What comes between devices besides keys is for nobody here."""

    async def upload_keys(
        self, one_time_keys: JSON = None, device_keys: DeviceKeys | None = None
    ) -> Mapping[EncryptionKeyAlgorithm, int]:
        """Publish; how many one-time keys the homeserver has now."""
        body = {"one_time_keys": one_time_keys or {}}
        if device_keys is not None:
            body["device_keys"] = device_keys.serialize()
        answer = await self._client.call("POST", "/keys/upload", body)
        counts = answer["one_time_key_counts"]
        return {EncryptionKeyAlgorithm(name): count for name, count in counts.items()}

    async def query_keys(self, users: Sequence[UserID], token: str = "") -> QueryKeysResponse:
        """The devices of people."""
        body: JSON = {"device_keys": {user: [] for user in users}}
        answer = await self._client.call("POST", "/keys/query", body)
        return QueryKeysResponse.deserialize(answer)

    async def claim_keys(
        self, wanted: Mapping[UserID, Mapping[DeviceID, EncryptionKeyAlgorithm]]
    ) -> ClaimKeysResponse:
        """A one-time key of each device, for the first message to it."""
        keys = {
            user: {device: algorithm.serialize() for device, algorithm in devices.items()}
            for user, devices in wanted.items()
        }
        answer = await self._client.call("POST", "/keys/claim", {"one_time_keys": keys})
        return ClaimKeysResponse.deserialize(answer)

    async def send_to_device(
        self, event_type: EventType, messages: Mapping[UserID, Mapping[DeviceID, Serializable]]
    ) -> None:
        """Send to devices."""
        plain = {
            user: {device: content.serialize() for device, content in devices.items()}
            for user, devices in messages.items()
        }
        path = path_of("sendToDevice", event_type.serialize(), secrets.token_hex(12))
        await self._client.call("PUT", path, {"messages": plain})


class _States(StateStore):
    """What the machine asks of rooms: all are encrypted, and it is in all of them."""

    def __init__(self) -> None:
        self.rooms: dict[RoomID, Set[UserID]] = {}  # with those who have its key

    async def is_encrypted(self, room_id: RoomID) -> bool:
        return True

    async def get_encryption_info(self, room_id: RoomID) -> RoomEncryptionStateEventContent:
        return RoomEncryptionStateEventContent(algorithm=EncryptionAlgorithm.MEGOLM_V1)

    async def find_shared_rooms(self, user_id: UserID) -> list[RoomID]:
        return list(self.rooms)


class KeyMachine(OlmMachine):
    """The keys of one device, in memory."""

    account: OlmAccount

    def __init__(self, client: KeyCalls) -> None:
        # The account and the pickle key are for stores that outlive the process.
        store = MemoryCryptoStore(client.mxid, client.device_id)
        self._states = _States()
        super().__init__(cast("Any", client), store, self._states)
        # Or Python prints its warnings between the lines of the talk.
        self.log.addHandler(logging.NullHandler())

    async def take(self, answer: JSON) -> None:
        """All that a sync brought; what came already is refused by its session."""
        changed = answer.get("device_lists", {}).get("changed", [])
        await self.handle_device_lists(DeviceLists(changed=changed))
        for event in answer.get("to_device", {}).get("events", []):
            if event.get("type") == SEALED:
                with suppress(CryptoError):
                    await self.handle_to_device_event(ToDeviceEvent.deserialize(event))
        left = answer.get("device_one_time_keys_count", {}).get("signed_curve25519")
        if left is not None:
            await self.handle_otk_count(DeviceOTKCount(signed_curve25519=left))

    async def seal(
        self, room_id: RoomID, people: Set[UserID], kind: str, content: Mapping[str, JSON]
    ) -> Mapping[str, JSON]:
        """What is sent instead, after everybody's devices were given the key."""
        if self._states.rooms.get(room_id) != people:
            await self.crypto_store.remove_outbound_group_session(room_id)
        self._states.rooms[room_id] = people
        session = await self.crypto_store.get_outbound_group_session(room_id)
        if session is None or session.expired or not session.shared:
            await self.share_group_session(room_id, list(people))
        sealed = await self.encrypt_megolm_event(room_id, EventType.find(kind), dict(content))
        plain: Mapping[str, JSON] = sealed.serialize()
        return plain

    async def open(self, event: Mapping[str, JSON]) -> JSON:
        """What stands in it. Raises RefusedError where there is no key, or not its sender's."""
        session_id = SessionID(str(session_of(event)))
        session = await self.crypto_store.get_group_session(event["room_id"], session_id)
        if session is None:
            raise RefusedError("its key has not come")
        try:
            plaintext, place = session.decrypt(event["content"]["ciphertext"])
        except (OlmGroupSessionError, ValueError) as error:
            raise RefusedError("its key does not fit") from error
        if not await self.crypto_store.validate_message_index(
            session.sender_key, session_id, event["event_id"], place, event["origin_server_ts"]
        ):
            raise RefusedError("another event had this place")
        if session.sender_key != self.account.identity_key:
            device = await self.get_or_fetch_device_by_key(event["sender"], session.sender_key)
            if device is None or device.signing_key != session.signing_key:
                raise RefusedError("its session was not made by a device of its sender")
        return opened(event, plaintext)

    async def resolve_trust(self, device: DeviceIdentity, allow_fetch: bool = True) -> TrustState:
        """Whoever is in the room is meant, on every device."""
        return TrustState.UNVERIFIED

    async def _store_cross_signing_keys(self, resp: QueryKeysResponse, user_id: UserID) -> None:
        """Nothing is decided by them, and the store fails at the second time (mautrix 0.21.1)."""

    def _unwedge_session(
        self, sender: UserID, sender_key: IdentityKey
    ) -> Coroutine[Any, Any, None]:
        """Nothing: what cannot be read has come already, by another sync."""
        return asyncio.sleep(0)
