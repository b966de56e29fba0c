"""By which names the endpoint may be called, so that no web page can reach it by a trick.

A page of a stranger's host name that resolves to this machine sends that name as Host and as
Origin (DNS rebinding). An address in digits cannot be somebody else's name.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from lycatra_appservice.mcp.refusing import RefusedError

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Addresses:
    """Judges Host and Origin headers."""

    def __init__(self, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        """`hosts` are names without ports, besides those of this machine itself.

        `origins` are whole (`https://ide.example.org`); those of `hosts` are let in without.
        """
        self._hosts = _LOCAL | {host.lower().rstrip(".") for host in hosts}
        self._origins = {origin.lower().rstrip("/") for origin in origins}

    def check(self, request: web.Request) -> None:
        """Raise RefusedError, 421 for a foreign Host and 403 for a foreign Origin."""
        host = _name_of(f"//{request.headers.get('Host', '')}")
        if host is None or not (host in self._hosts or _is_address(host)):
            raise RefusedError(421, "this host name is not served; see mcp.hosts")
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_known(origin):
            raise RefusedError(403, "this origin is not allowed; see mcp.origins")

    def _is_known(self, origin: str) -> bool:
        return origin.lower().rstrip("/") in self._origins or _name_of(origin) in self._hosts


def _name_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # refuses what is no number
        name = parts.hostname
    except ValueError:
        return None
    if parts.username is not None or parts.path.strip("/") or name is None:
        return None
    return name.rstrip(".")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
