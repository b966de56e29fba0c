"""Which names were seen already, in a few bytes for each; pure."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_BYTES: Final = 6
_WIDTH: Final = 8  # of a digest, as text
MOST: Final = 1400  # so that all of them fit into a value


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest of them come first in `digests`, all of the same length."""

    digests: str = ""

    def has(self, name: str) -> bool:
        """Whether it was seen."""
        return _digest(name) in self._each()

    def after(self, names: Iterable[str]) -> "Seen":
        """With these; the oldest ones are forgotten where they would become too many."""
        digests = dict.fromkeys([*map(_digest, names), *self._each()])
        return Seen("".join(list(digests)[:MOST]))

    def _each(self) -> list[str]:
        return [
            self.digests[start : start + _WIDTH] for start in range(0, len(self.digests), _WIDTH)
        ]


def _digest(name: str) -> str:
    hashed = hashlib.sha256(name.encode(errors="replace")).digest()
    return urlsafe_b64encode(hashed[:_BYTES]).decode()
