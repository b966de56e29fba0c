"""Who has signed a request: compared in constant time, and refused without a reason."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from lycatra_appservice.toolkit.base import HookRefusedError

_GITHUB: Final = "sha256="
_TOLERANCE_S: Final = 300
_MOST_SIGNATURES: Final = 5


def check_github(header: str, body: bytes, secrets: Sequence[bytes]) -> None:
    """`X-Hub-Signature-256`. Raises HookRefusedError."""
    if not header.startswith(_GITHUB) or not _is_signed([header[len(_GITHUB) :]], body, secrets):
        raise HookRefusedError(401, "not signed as it should be")


def check_ours(header: str, body: bytes, secrets: Sequence[bytes], now: float) -> bytes:
    """`X-Lycatra-Signature: t=1732270000,v1=…`; returns what was signed. Raises HookRefusedError.

    Several `v1` are for a sender that changes its secret.
    """
    parts = [each.strip().partition("=") for each in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"][:_MOST_SIGNATURES]
    at = times[0] if len(times) == 1 else ""
    signed = b"%b.%b" % (at.encode(errors="replace"), body)
    is_time = at.isascii() and at.isdecimal() and len(at) < 12
    if not _is_signed(given, signed, secrets) or not is_time:
        raise HookRefusedError(401, "not signed as it should be")
    if abs(now - int(at)) > _TOLERANCE_S:
        raise HookRefusedError(401, "signed too long ago, or in the future")
    return signed


def _is_signed(given: Sequence[str], signed: bytes, secrets: Sequence[bytes]) -> bool:
    # As bytes: comparing text that is not ASCII raises.
    expected = [hmac.new(each, signed, hashlib.sha256).hexdigest().encode() for each in secrets]
    offered = [each.strip().lower().encode(errors="replace") for each in given]
    matches = [hmac.compare_digest(one, other) for one in offered for other in expected]
    return any(matches)
