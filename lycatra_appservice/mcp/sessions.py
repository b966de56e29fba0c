"""Session ids of the handshake revisions: signed and self-contained, so any replica knows them.

`base64url(mac || [version, client, capabilities, principal, nonce, expiry])`: nothing is stored,
and clients outlive every roll-out. It is signed and not secret: nothing private goes in.
"""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from lycatra_appservice.model import JSON

LIFETIME_SECONDS: Final = 24 * 60 * 60
MAX_CHARS: Final = 2000  # what proxies take as one header without a thought is four times that
_MAC_BYTES: Final = 18
_NAME_CHARS: Final = 60
_PURPOSE: Final = b"lycatra/mcp/session/v1"
# What a server could ask of a client; the rest of what it declares concerns nobody here.
_ASKABLE: Final = ("elicitation", "sampling", "roots")


@dataclass(frozen=True, slots=True)
class Session:
    """What was agreed on in the handshake. `expires` in seconds since 1970."""

    version: str
    client: Mapping[str, str]
    capabilities: Mapping[str, JSON]
    nonce: str
    expires: int


class SessionIds:
    """Makes and reads them."""

    def __init__(self, keys: Sequence[bytes], clock: Callable[[], float]) -> None:
        """The first of `keys` signs, all are accepted; `clock` gives seconds since 1970."""
        self._keys = [hmac.digest(key, _PURPOSE, "sha256") for key in keys]
        self._clock = clock

    def mint(
        self, version: str, client: JSON, capabilities: JSON, principal: str
    ) -> tuple[str, Session]:
        """A new id, for whom `principal` names."""
        session = Session(
            version=version,
            client=_client(client),
            capabilities=_askable(capabilities),
            nonce=secrets.token_urlsafe(9),
            expires=int(self._clock()) + LIFETIME_SECONDS,
        )
        told = [
            version,
            session.client,
            session.capabilities,
            principal,
            session.nonce,
            session.expires,
        ]
        body = json.dumps(told, separators=(",", ":")).encode()
        signed = _mac(self._keys[0], body) + body
        return urlsafe_b64encode(signed).rstrip(b"=").decode(), session

    def read(self, text: str, principal: str) -> Session | None:
        """The session; None for what is not ours, too old or somebody else's."""
        if len(text) > MAX_CHARS:
            return None
        try:
            signed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        mac, body = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(key, body)) for key in self._keys):
            return None
        version, client, capabilities, owner, nonce, expires = json.loads(body)
        if owner != principal or expires < self._clock():
            return None
        if version not in HANDSHAKE_PROTOCOL_VERSIONS:
            return None
        return Session(version, client, capabilities, nonce, expires)


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)[:_MAC_BYTES]


def _client(told: JSON) -> dict[str, str]:
    """Name and version: a client may send icons too, larger than any header."""
    known = told if isinstance(told, dict) else {}
    return {key: str(known.get(key, ""))[:_NAME_CHARS] for key in ("name", "version")}


def _askable(told: JSON) -> dict[str, JSON]:
    known = told if isinstance(told, dict) else {}
    return {
        key: {kind: {} for kind in ("form", "url", "tools", "context") if kind in known[key]}
        for key in _ASKABLE
        if isinstance(known.get(key), dict)
    }
