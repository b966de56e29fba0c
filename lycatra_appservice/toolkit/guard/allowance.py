"""Decides whether a connection may be made: to the internet by https, or where it is allowed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lycatra_appservice.targets import IPAddress, Target, plain
from lycatra_appservice.toolkit.guard.addresses import Kind, carried, kind_of

_OPEN_PORT = 443


class Objection(StrEnum):
    """Why a connection is not made, in words for people."""

    NOT_PUBLIC = "it is not on the public internet"
    NOT_BY_NAME = "what its name leads to is link-local, reserved or a tunnel"
    NOT_THIS_WAY = "unlisted hosts may only be asked by https on port 443"
    LED_INSIDE = "a redirect from the internet leads into the private network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom a request is for, as its address is written (lower case) and not as it is resolved."""

    host: str
    port: int
    encrypted: bool  # https
    is_redirected: bool = False
    sent_from_internet: bool = False  # one of those redirects was a public host's

    @property
    def target(self) -> Target:
        """How a configuration would name it."""
        return Target.of_host(self.host, self.port)


class Allowance:
    """What the configuration opens to the tools of one namespace, beyond https on port 443."""

    def __init__(self, targets: Iterable[Target] = ()) -> None:
        """The operator's own list, and what the namespace's settings name."""
        targets = frozenset(targets)
        self._names = {(each.place, each.port) for each in targets if isinstance(each.place, str)}
        self._networks = [
            (each.place, each.port) for each in targets if not isinstance(each.place, str)
        ]

    def objection(self, peer: Peer, address: IPAddress) -> Objection | None:
        """Why `peer` may not be reached at `address`; None when it may.

        A listed name opens the internet and the private network, never what is special: a name's
        owner could point it at the metadata of a cloud. A listed network opens whatever is in it.
        """
        named = (peer.host, peer.port) in self._names
        listed = self._has_network_of(address, peer.port)
        inner = carried(address)
        if inner is not None and listed:
            return self.objection(peer, inner)  # a NAT64 that is opened still leads to somebody
        kind = kind_of(address)
        if kind is Kind.PUBLIC:
            return None if named or listed or _is_open(peer) else Objection.NOT_THIS_WAY
        if kind is Kind.SPECIAL and named and not listed:
            return Objection.NOT_BY_NAME
        if not named and not listed:
            return Objection.NOT_PUBLIC
        return Objection.LED_INSIDE if peer.sent_from_internet else None

    def _has_network_of(self, address: IPAddress, port: int) -> bool:
        found = plain(address)
        return any(port == opened and found in network for network, opened in self._networks)


def _is_open(peer: Peer) -> bool:
    return peer.encrypted and peer.port == _OPEN_PORT
