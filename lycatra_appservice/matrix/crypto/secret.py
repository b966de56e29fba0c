"""The one secret of the configuration, and all that is made of it.

Whoever loses the database keeps his identity with it: the keys by which each of our users signs
its devices are made of the secret and the user's name, so people who have verified us still do.
"""

import hmac
from typing import Final

from mautrix.crypto.cross_signing_key import CrossSigningSeeds
from mautrix.types import UserID
from pydantic import SecretStr

_PURPOSE: Final = b"lycatra/encryption/v1"


class KeySecret:
    """Makes keys for one purpose each; the secret itself is never stored."""

    def __init__(self, secret: SecretStr) -> None:
        self._root = hmac.digest(secret.get_secret_value().encode(), _PURPOSE, "sha256")

    @property
    def pickle(self) -> str:
        """What closes the keys in the database."""
        return self._make("pickle").hex()

    def seeds(self, user_id: UserID) -> CrossSigningSeeds:
        """The cross-signing keys of one of our users."""
        return CrossSigningSeeds(
            master_key=self._make("master", user_id),
            self_signing_key=self._make("self-signing", user_id),
            user_signing_key=self._make("user-signing", user_id),
        )

    def _make(self, *purpose: str) -> bytes:
        return hmac.digest(self._root, "\0".join(purpose).encode(), "sha256")
