"""What both sides of an emoji verification calculate, as the side that was asked. No I/O.

Client-server API v1.13, "Short Authentication String (SAS) verification".
"""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from olm.sas import OlmSasError, Sas

from lycatra_appservice.matrix.crypto.emoji import EMOJI_BYTES, emoji_of
from lycatra_appservice.matrix.crypto.verification_steps import (
    AGREEMENT,
    EMOJI_METHOD,
    FIXED_MAC,
    HASH,
    INVALID,
    METHOD,
    MISMATCH,
    StepRefusedError,
    chosen_mac,
)
from lycatra_appservice.model import JSON, UserID

_KEY_CHARACTERS: Final = 43  # of 32 bytes in base64 without padding
_KEY_LIST: Final = "KEY_IDS"


@dataclass(frozen=True, slots=True, kw_only=True)
class SasSide:
    """One of the two devices."""

    user_id: UserID
    device_id: str


class SasOffer:
    """Our half of a secret with whoever started, and how we are bound to it beforehand.

    `start` is the content of that step as it came, with what relates it to a request;
    `acceptance` is the content of our answer. Raises StepRefusedError for one that we cannot
    agree to.
    """

    def __init__(self, start: Mapping[str, JSON], transaction_id: str) -> None:
        self._mac = chosen_mac(start)
        self._transaction_id = transaction_id
        self._sas = Sas()
        self.public_key = self._sas.pubkey
        with _refusing():
            told = json.dumps(
                start, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
            )
            digest = sha256((self.public_key + told).encode()).digest()
        self.acceptance: Mapping[str, JSON] = {
            "method": METHOD,
            "key_agreement_protocol": AGREEMENT,
            "hash": HASH,
            "message_authentication_code": self._mac,
            "short_authentication_string": [EMOJI_METHOD],
            "commitment": b64encode(digest).decode().rstrip("="),
        }

    def meet(self, content: Mapping[str, JSON], them: SasSide, us: SasSide) -> "SasSecret":
        """The secret that their public key makes of it. Raises StepRefusedError."""
        key = content.get("key")
        # libolm takes whatever is long enough, base64 or not.
        if not isinstance(key, str) or len(key) != _KEY_CHARACTERS:
            raise StepRefusedError(INVALID)
        starter = f"{them.user_id}|{them.device_id}|{key}"
        accepter = f"{us.user_id}|{us.device_id}|{self.public_key}"
        info = f"MATRIX_KEY_VERIFICATION_SAS|{starter}|{accepter}|{self._transaction_id}"
        with _refusing():
            b64decode(key + "=", validate=True)
            self._sas.set_their_pubkey(key)
            emoji = emoji_of(self._sas.generate_bytes(info, EMOJI_BYTES))
        calculate = (
            self._sas.calculate_mac_fixed_base64
            if self._mac == FIXED_MAC
            else self._sas.calculate_mac
        )
        between = (f"{them.user_id}{them.device_id}", f"{us.user_id}{us.device_id}")
        return SasSecret(emoji, calculate, *between, self._transaction_id)


class SasSecret:
    """What only the two devices know; `emoji` is what both show if nobody is between them."""

    def __init__(
        self,
        emoji: Sequence[tuple[str, str]],
        calculate: Callable[[str, str], str],
        them: str,
        us: str,
        transaction_id: str,
    ) -> None:
        self.emoji = emoji
        self._calculate = calculate
        self._from_us = f"MATRIX_KEY_VERIFICATION_MAC{us}{them}{transaction_id}"
        self._from_them = f"MATRIX_KEY_VERIFICATION_MAC{them}{us}{transaction_id}"

    def our_macs(self, keys: Mapping[str, str]) -> dict[str, JSON]:
        """The content by which they know our keys, which are given by their ids."""
        macs = {
            key_id: self._calculate(key, self._from_us + key_id) for key_id, key in keys.items()
        }
        return {"mac": macs, "keys": self._calculate(_listed(keys), self._from_us + _KEY_LIST)}

    def check_macs(self, content: Mapping[str, JSON], known: Mapping[str, str]) -> None:
        """Whether their keys are the ones that we know; others of theirs are passed over.

        Raises StepRefusedError.
        """
        macs = content.get("mac")
        if not isinstance(macs, dict):
            raise StepRefusedError(INVALID)
        with _refusing():
            self._expect(content.get("keys"), _listed(macs), _KEY_LIST)
            for key_id in macs.keys() & known.keys():
                self._expect(macs[key_id], known[key_id], key_id)

    def _expect(self, told: JSON, message: str, purpose: str) -> None:
        if not isinstance(told, str):
            raise StepRefusedError(INVALID)
        expected = self._calculate(message, self._from_them + purpose)
        if not hmac.compare_digest(expected.encode(), told.encode()):
            raise StepRefusedError(MISMATCH)


def _listed(keys: Mapping[str, JSON]) -> str:
    return ",".join(sorted(keys))


@contextmanager
def _refusing() -> Iterator[None]:
    """What cannot be read ends the verification, and nothing else."""
    try:
        yield
    except (OlmSasError, ValueError, TypeError, RecursionError) as error:
        raise StepRefusedError(INVALID) from error
