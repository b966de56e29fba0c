"""What the crypto machine asks of a homeserver, by our own client (mautrix 0.21, Client)."""

import logging
import secrets
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final, cast

from mautrix.types import (
    ClaimKeysResponse,
    CrossSigningKeys,
    CrossSigningUsage,
    DeviceID,
    DeviceKeys,
    EncryptionKeyAlgorithm,
    EventType,
    QueryKeysResponse,
    Serializable,
    SerializerError,
    UserID,
)

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import is_id, mapping
from lycatra_appservice.model import JSON

logger: Final = logging.getLogger(__name__)

_MOST_DEVICES: Final = 200  # of one person; some homeservers know no end


class KeyClient:
    """One of our users on its device. What others have published is read piece by piece.

    One device with keys that cannot be read costs only itself.
    """

    def __init__(self, client: MatrixClient, mxid: UserID, device_id: DeviceID) -> None:
        self.mxid = mxid
        self.device_id = device_id
        self._client = client
        # Messages between devices that bring no room's key: from whom, what kind, what they say.
        self.dispatched: list[tuple[UserID, str, Mapping[str, JSON]]] = []

    def add_event_handler(self, *_: object, **__: object) -> None:
        """Nothing comes by itself here: whoever owns the machine feeds it."""

    def dispatch_event(self, event: Any, source: object) -> None:
        """Keep what came between devices for whoever fed the machine."""
        self.dispatched.append((event.sender, event.type.serialize(), _plain(event.content)))

    async def upload_keys(
        self,
        one_time_keys: Mapping[str, JSON] | None = None,
        device_keys: DeviceKeys | None = None,
        fallback_keys: Mapping[str, JSON] | None = None,
    ) -> Mapping[EncryptionKeyAlgorithm, int]:
        """Publish; how many one-time keys the homeserver has now."""
        body: dict[str, JSON] = {}
        if device_keys is not None:
            body["device_keys"] = device_keys.serialize()
        if one_time_keys:
            body["one_time_keys"] = one_time_keys
        if fallback_keys:
            body["fallback_keys"] = fallback_keys
        counts = await self._client.upload_keys(body, as_user=self.mxid, device_id=self.device_id)
        return {
            EncryptionKeyAlgorithm.deserialize(cast("Any", name)): n for name, n in counts.items()
        }

    async def query_keys(self, users: Sequence[UserID], token: str = "") -> QueryKeysResponse:
        """The devices of people; who has signed whom is left out."""
        answer = await self._client.query_keys(
            sorted(users), as_user=self.mxid, device_id=self.device_id
        )
        found = {
            UserID(user): _readable(mapping(devices))
            for user, devices in mapping(answer.get("device_keys")).items()
            if user in users
        }
        return QueryKeysResponse(device_keys=found, failures=dict(mapping(answer.get("failures"))))

    async def signing_keys(self) -> Set[str]:
        """The public keys by which this user signs, as far as they are published."""
        answer = await self._client.query_keys(
            [self.mxid], as_user=self.mxid, device_id=self.device_id
        )
        kinds = ("master_keys", "self_signing_keys", "user_signing_keys")
        published = (mapping(answer.get(kind)).get(self.mxid) for kind in kinds)
        return {key for each in published for key in mapping(mapping(each).get("keys")).values()}

    async def claim_keys(
        self, wanted: Mapping[UserID, Mapping[DeviceID, EncryptionKeyAlgorithm]]
    ) -> ClaimKeysResponse:
        """A one-time key of each device, for the first message to it."""
        answer = await self._client.claim_keys(
            {
                user: {device: algorithm.serialize() for device, algorithm in devices.items()}
                for user, devices in wanted.items()
            },
            as_user=self.mxid,
            device_id=self.device_id,
        )
        keys: Any = {
            user: {
                device: dict(keys)
                for device, keys in mapping(devices).items()
                if device in wanted.get(UserID(user), {}) and _is_key(keys)
            }
            for user, devices in mapping(answer.get("one_time_keys")).items()
            if user in wanted
        }
        return ClaimKeysResponse(
            one_time_keys=keys, failures=dict(mapping(answer.get("failures")))
        )

    async def send_to_device(
        self, event_type: EventType, messages: Mapping[UserID, Mapping[DeviceID, JSON]]
    ) -> None:
        """Send to devices. Sent twice it would be a repetition, which all clients know."""
        await self._client.send_to_device(
            event_type.serialize(),
            secrets.token_hex(16),
            {
                user: {device: _plain(content) for device, content in devices.items()}
                for user, devices in messages.items()
            },
            as_user=self.mxid,
            device_id=self.device_id,
        )

    async def send_to_one_device(
        self, event_type: EventType, user_id: UserID, device_id: DeviceID, message: JSON
    ) -> None:
        """The same for one."""
        await self.send_to_device(event_type, {user_id: {device_id: message}})

    async def upload_cross_signing_keys(
        self, keys: Mapping[CrossSigningUsage, CrossSigningKeys], auth: JSON = None
    ) -> None:
        """Publish who signs for this user."""
        body = {f"{usage.serialize()}_key": key.serialize() for usage, key in keys.items()}
        await self._client.upload_signing_keys(body, as_user=self.mxid, device_id=self.device_id)

    async def upload_one_signature(
        self, user_id: UserID, device_id: DeviceID, keys: DeviceKeys
    ) -> None:
        """Publish a signature of a device. Raises MatrixError when it is refused."""
        answer = await self._client.upload_signatures(
            {user_id: {device_id: keys.serialize()}},
            as_user=self.mxid,
            device_id=self.device_id,
        )
        if answer.get("failures"):
            raise MatrixError(400, "M_INVALID_SIGNATURE", str(answer["failures"]))


def _readable(devices: Mapping[str, JSON]) -> dict[DeviceID, DeviceKeys]:
    """Those that can be read and stored, without the names that people gave them."""
    found = {}
    for device_id, keys in list(devices.items())[:_MOST_DEVICES]:
        public = mapping(mapping(keys).get("keys")).values()
        if not is_id(device_id) or not all(map(is_id, public)):
            continue
        try:
            told: Any = {**mapping(keys), "unsigned": {}}
            found[DeviceID(device_id)] = DeviceKeys.deserialize(told)
        except (SerializerError, ValueError, TypeError, AttributeError, KeyError) as error:
            logger.info("device_unreadable", extra={"device": device_id, "error": str(error)})
    return found


def _is_key(keys: JSON) -> bool:
    """Whether it holds exactly the one key that was asked for, in its form."""
    values = list(mapping(keys).values())
    return len(values) == 1 and isinstance(mapping(values[0]).get("key"), str)


def _plain(content: JSON) -> JSON:
    return content.serialize() if isinstance(content, Serializable) else content
