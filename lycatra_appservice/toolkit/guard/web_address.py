"""Reads a web address once, strictly: what passes here is exactly what is connected to."""

import re
from ipaddress import ip_address

from yarl import URL

from lycatra_appservice.toolkit.guard.allowance import Peer
from lycatra_appservice.toolkit.guard.failures import OutboundRefusedError

_LONGEST = 4096
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_NOT_OF_A_HOST = frozenset("/?#@%[]")
# Read in one way by one program and in another by the next.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\]")


def read_url(text: str) -> URL:
    """An http or https address without user and fragment; raises OutboundRefusedError."""
    if len(text) > _LONGEST or _AMBIGUOUS.search(text):
        raise OutboundRefusedError.of_address("it is too long, or has spaces or backslashes in it")
    return _checked(_parsed(text))


def tls_peer(host: str, port: int) -> Peer:
    """Whom a host (without brackets) and a port are; raises OutboundRefusedError, as above."""
    if _NOT_OF_A_HOST & set(host):
        raise OutboundRefusedError.of_address("its host is not valid")
    return peer_of(
        read_url(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}")
    )


def followed(url: URL, location: str) -> URL:
    """Where a redirect from `url` leads; raises OutboundRefusedError, as for the way to http."""
    if len(location) > _LONGEST or _AMBIGUOUS.search(location):
        raise OutboundRefusedError.of_address("it redirects to something that is no address")
    to = _checked(url.join(_parsed(location)))
    if url.scheme == "https" and to.scheme == "http":
        raise OutboundRefusedError.of_address("it redirects from https to http")
    return to


def peer_of(url: URL) -> Peer:
    """Whom a read address asks."""
    return Peer(host=url.raw_host or "", port=url.port or 0, encrypted=url.scheme == "https")


def _parsed(text: str) -> URL:
    try:
        return URL(text)
    except ValueError:
        raise OutboundRefusedError.of_address("it is not valid") from None


def _checked(url: URL) -> URL:
    if url.scheme not in ("http", "https"):
        raise OutboundRefusedError.of_address("only http and https are spoken here")
    if url.raw_user is not None or url.raw_password is not None:
        raise OutboundRefusedError.of_address("it has a user or a password in it")
    if not _is_host(url.raw_host or "") or not url.port:
        raise OutboundRefusedError.of_address("its host is not valid")
    return url.with_fragment(None)


def _is_host(host: str) -> bool:
    if _NAME.fullmatch(host):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # a zone such as fe80::1%eth0 is this machine's own business
