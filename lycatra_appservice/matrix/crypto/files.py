"""Encrypted attachments (client-server API, "Sending encrypted attachments", version v2)."""

import hashlib
import hmac
import secrets
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

from Crypto.Cipher import AES

from lycatra_appservice.matrix.events import mapping, text
from lycatra_appservice.model import JSON

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 8  # the other half of the counter block counts, from zero


class FileCipher:
    """The `FileSeals`: AES-256 in counter mode, with a key and a nonce for each file."""

    def new_key(self, data: bytes) -> Mapping[str, JSON]:
        """A key for these bytes: an `EncryptedFile` without its `url`."""
        key: dict[str, JSON] = {
            "v": "v2",
            "key": {
                "kty": "oct",
                "alg": "A256CTR",
                "ext": True,
                "k": _unpadded(urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES))),
                "key_ops": ["encrypt", "decrypt"],
            },
            "iv": _unpadded(b64encode(secrets.token_bytes(_NONCE_BYTES) + bytes(8))),
        }
        digest = hashlib.sha256(self.close(data, key)).digest()
        return {**key, "hashes": {"sha256": _unpadded(b64encode(digest))}}

    def close(self, data: bytes, key: Mapping[str, JSON]) -> bytes:
        """The bytes to upload; again the same for the same. Raises ValueError for no key."""
        return bytes(_cipher(key).encrypt(data))

    def open(self, data: bytes, key: Mapping[str, JSON]) -> bytes:
        """What was uploaded like that. Raises ValueError when it is something else."""
        told = text(mapping(key.get("hashes")).get("sha256"))
        if not hmac.compare_digest(hashlib.sha256(data).digest(), _bytes(told)):
            raise ValueError("the file is not the one that was sent")
        return bytes(_cipher(key).decrypt(data))


def _cipher(key: Mapping[str, JSON]) -> Any:
    secret = _bytes(text(mapping(key.get("key")).get("k")))
    block = _bytes(text(key.get("iv")))
    if key.get("v") != "v2" or len(secret) != _KEY_BYTES or len(block) != AES.block_size:
        raise ValueError("no key for a file")
    return AES.new(
        secret,
        AES.MODE_CTR,
        nonce=block[:_NONCE_BYTES],
        initial_value=int.from_bytes(block[_NONCE_BYTES:], "big"),
    )


def _bytes(encoded: str) -> bytes:
    """Base64 in either alphabet, with or without its padding."""
    plain = encoded.replace("+", "-").replace("/", "_").rstrip("=")
    return urlsafe_b64decode(plain + "=" * (-len(plain) % 4))


def _unpadded(encoded: bytes) -> str:
    return encoded.decode().rstrip("=")
