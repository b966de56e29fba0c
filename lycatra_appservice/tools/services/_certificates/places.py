"""Where a certificate is looked at: a host and a port, as people write them."""

import re
from dataclasses import dataclass
from typing import Final

HTTPS: Final = 443
WRITTEN: Final = r"^(\[[0-9a-fA-F:.]+\]|[^\[\]:/@?#\s]+)(:[0-9]{1,5})?$"

_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class CertificatePlace:
    """A host by its name or address, without brackets, and a port that speaks TLS at once."""

    host: str
    port: int

    def __str__(self) -> str:
        """As people read it; https needs no port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == HTTPS else f"{host}:{self.port}"


def read_place(text: str) -> CertificatePlace:
    """Read `host`, `host:port` or `[::1]:port`; ValueError with a sentence for another text."""
    if not re.fullmatch(WRITTEN, text):
        raise ValueError("should be a host, or host:port, without https:// and without a path")
    host, _, port = text.rpartition(":") if re.search(r":\d+$", text) else (text, "", "")
    if text.endswith("]"):
        host, port = text, ""
    number = int(port or HTTPS)
    if not 0 < number <= _LAST_PORT:
        raise ValueError("its port should be 1 to 65535")
    return CertificatePlace(host.strip("[]").lower().rstrip("."), number)
