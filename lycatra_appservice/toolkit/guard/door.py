"""The door of one connection: each socket is asked for here, with the address it will go to."""

import errno
import socket
from ipaddress import ip_address

from aiohttp import AddrInfoType

from lycatra_appservice.toolkit.guard.addresses import leads_to_internet
from lycatra_appservice.toolkit.guard.allowance import Allowance, Objection, Peer


class Door:
    """Opens sockets towards one peer only, for one request; a redirect gets a new one.

    It stands behind the lookup of names: aiohttp asks no resolver for an address that is written
    out, and a name may lead elsewhere at every lookup. None lies between check and connect.
    """

    def __init__(self, allowance: Allowance, peer: Peer) -> None:
        self.peer = peer
        self.refused: dict[str, Objection] = {}  # by address
        self.is_used = False  # something was let through
        self.led_to_internet = False
        self._allowance = allowance

    def __call__(self, found: AddrInfoType) -> socket.socket:
        """A socket for what a lookup found; raises OSError when it must not be reached."""
        family, kind, protocol, _, address = found
        self.check(str(address[0]))
        return socket.socket(family, kind, protocol)

    def check(self, address: str) -> None:
        """Raise OSError when the peer must not be reached at this address."""
        judged = ip_address(address)
        objection = self._allowance.objection(self.peer, judged)
        if objection is not None:
            self.refused[address] = objection
            raise OSError(errno.EACCES, "refused by the guard")
        self.is_used = True
        self.led_to_internet |= leads_to_internet(judged)
