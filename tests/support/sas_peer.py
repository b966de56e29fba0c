"""The other side of an emoji verification: a person's device, which starts it.

Written from the specification and with nothing of ours but the readers of steps, so that both
sides cannot be wrong together.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import olm.sas

from lycatra_appservice.matrix.crypto.verification import (
    OwnKeys,
    VerificationMessage,
    message_between_devices,
    message_in_room,
)
from lycatra_appservice.model import JSON, RoomID, UserID

STEP = "m.key.verification."
V2 = "hkdf-hmac-sha256.v2"
ANNA = UserID("@anna:hs.test")


def random_key() -> str:
    """Something that looks like a public key."""
    return base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")


@dataclass(kw_only=True)
class SasPeer:
    """One device and one verification; `room_id` None is between devices."""

    ours: UserID
    user_id: UserID = ANNA
    device_id: str = "ANNASPHONE"
    room_id: RoomID | None = None
    transaction_id: str = "$request"
    macs: Sequence[str] = ("hkdf-hmac-sha256", V2)
    device_key: str = field(default_factory=random_key)
    sas: olm.sas.Sas = field(default_factory=olm.sas.Sas)
    start_content: Mapping[str, JSON] = field(default_factory=dict)
    accepted: Mapping[str, JSON] = field(default_factory=dict)
    our_key: str = ""
    our_device: str = ""

    # What it says

    def request(self, age_ms: int = 0, **changes: JSON) -> VerificationMessage:
        content = {"from_device": self.device_id, "methods": ["m.sas.v1"], **changes}
        if self.room_id is None:
            content["timestamp"] = int(time.time() * 1000) - age_ms
            return self.said("request", content)
        asked = {"msgtype": STEP + "request", "to": self.ours, "body": "…", **content}
        event = self._event("m.room.message", asked, self.transaction_id)
        return _read(message_in_room({**event, "unsigned": {"age": age_ms}}))

    def start(self, **changes: JSON) -> VerificationMessage:
        step = self.said(
            "start",
            {
                "from_device": self.device_id,
                "method": "m.sas.v1",
                "key_agreement_protocols": ["curve25519", "curve25519-hkdf-sha256"],
                "hashes": ["sha256"],
                "message_authentication_codes": list(self.macs),
                "short_authentication_string": ["decimal", "emoji"],
                "org.example.ünknown": {"b": 1, "a": ["é", None]},
                **changes,
            },
        )
        self.start_content = step.content
        return step

    def key(self) -> VerificationMessage:
        return self.said("key", {"key": self.sas.pubkey})

    def mac(self, **changes: JSON) -> VerificationMessage:
        keys = {f"ed25519:{self.device_id}": self.device_key, "ed25519:master": random_key()}
        sender = f"{self.user_id}{self.device_id}{self.ours}{self.our_device}"
        return self.said("mac", {**self._macs(sender, keys), **changes})

    def said(self, step: str, content: Mapping[str, JSON]) -> VerificationMessage:
        """A step of any content, as it is read from what carries it."""
        if self.room_id is None:
            content = {**content, "transaction_id": self.transaction_id}
            return _read(message_between_devices(self.user_id, STEP + step, content))
        relation = {"rel_type": "m.reference", "event_id": self.transaction_id}
        content = {**content, "m.relates_to": relation}
        return _read(message_in_room(self._event(STEP + step, content, "$some-step")))

    # What it hears

    def is_bound(self) -> bool:
        """Whether the key that came is the one that was promised for this start."""
        start = json.dumps(
            self.start_content, sort_keys=True, ensure_ascii=False, separators=(",", ":")
        )
        digest = hashlib.sha256(f"{self.our_key}{start}".encode()).digest()
        return bool(self.accepted["commitment"] == base64.b64encode(digest).decode().strip("="))

    def take_key(self, key: str, our_device: str) -> None:
        self.our_key, self.our_device = key, our_device
        self.sas.set_their_pubkey(key)

    def emoji_numbers(self) -> list[int]:
        """Which seven of the 64 it sees."""
        info = "MATRIX_KEY_VERIFICATION_SAS"
        for part in (self.user_id, self.device_id, self.sas.pubkey):
            info += f"|{part}"
        for part in (self.ours, self.our_device, self.our_key, self.transaction_id):
            info += f"|{part}"
        bits = "".join(f"{byte:08b}" for byte in self.sas.generate_bytes(info, 6))
        return [int(bits[at : at + 6], 2) for at in range(0, 42, 6)]

    def believes(self, macs: Mapping[str, JSON], own: OwnKeys) -> bool:
        """Whether these vouch for both keys that the homeserver says we have."""
        keys = {
            f"ed25519:{own.device_id}": own.device_key,
            f"ed25519:{own.master_key}": own.master_key,
        }
        sender = f"{own.user_id}{own.device_id}{self.user_id}{self.device_id}"
        expected = self._macs(sender, keys)
        return all(macs[name] == expected[name] for name in ("mac", "keys"))

    def _macs(self, between: str, keys: Mapping[str, str]) -> dict[str, JSON]:
        is_v2 = self.accepted["message_authentication_code"] == V2
        calculate = self.sas.calculate_mac_fixed_base64 if is_v2 else self.sas.calculate_mac
        info = f"MATRIX_KEY_VERIFICATION_MAC{between}{self.transaction_id}"
        return {
            "mac": {key_id: calculate(key, info + key_id) for key_id, key in keys.items()},
            "keys": calculate(",".join(sorted(keys)), info + "KEY_IDS"),
        }

    def _event(self, type_: str, content: Mapping[str, JSON], event_id: str) -> dict[str, JSON]:
        return {
            "type": type_,
            "content": dict(content),
            "sender": self.user_id,
            "room_id": self.room_id,
            "event_id": event_id,
        }


def _read(message: VerificationMessage | None) -> VerificationMessage:
    assert message is not None
    return message


@dataclass(kw_only=True)
class Wire:
    """What our side sends and shows, and the keys that it may look up."""

    own: OwnKeys
    device_keys: dict[tuple[str, str], str] = field(default_factory=dict)
    sent: list[tuple[str, JSON]] = field(default_factory=list)
    to: list[tuple[str, str]] = field(default_factory=list)
    shown: list[tuple[RoomID | None, Sequence[tuple[str, str]]]] = field(default_factory=list)
    is_showing: asyncio.Event = field(default_factory=asyncio.Event)
    may_show: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    def __post_init__(self) -> None:
        self.may_show.set()

    async def own_keys(self, ours: UserID) -> OwnKeys:
        assert ours == self.own.user_id
        return self.own

    async def their_device_key(self, ours: UserID, user: UserID, device_id: str) -> str | None:
        return self.device_keys.get((user, device_id))

    async def send_to_device(
        self, ours: UserID, to: UserID, device_id: str, type: str, content: Mapping[str, JSON]
    ) -> None:
        self._take(type, content, (to, device_id))

    async def send_in_room(
        self, ours: UserID, room_id: RoomID, type: str, content: Mapping[str, JSON]
    ) -> None:
        self._take(type, content, (room_id, ""))

    async def show(
        self, ours: UserID, to: UserID, room_id: RoomID | None, emoji: Sequence[tuple[str, str]]
    ) -> None:
        self.shown.append((room_id, emoji))
        self.is_showing.set()
        await self.may_show.wait()

    def _take(self, type_: str, content: Mapping[str, JSON], to: tuple[str, str]) -> None:
        if self.broken:
            raise ConnectionError("the homeserver is away")
        self.sent.append((type_.removeprefix(STEP), content))
        self.to.append(to)

    @property
    def steps(self) -> list[str]:
        return [step for step, _ in self.sent]

    @property
    def cancels(self) -> list[str]:
        return [content["code"] for step, content in self.sent if step == "cancel"]

    def content_of(self, step: str) -> JSON:
        (content,) = [content for name, content in self.sent if name == step]
        return content
