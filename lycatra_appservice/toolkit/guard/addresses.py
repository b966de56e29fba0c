"""Tells what kind of place an address is; pure, and the same on every version of Python."""

from collections.abc import Sequence
from enum import Enum, auto
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from lycatra_appservice.targets import IPAddress, IPNetwork, plain


class Kind(Enum):
    """Whom an address leads to."""

    PUBLIC = auto()  # anybody, on the internet
    INTERNAL = auto()  # this machine or its network: loopback, private, shared, unique local
    SPECIAL = auto()  # link-local (where clouds keep their secrets), multicast, reserved, tunnels


_INTERNAL: Sequence[IPNetwork] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("127.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),
)
# What `is_global` of one Python version or another lets through.
_SPECIAL: Sequence[IPNetwork] = (
    IPv4Network("168.63.129.16/32"),  # public by number, but Azure's host of this machine
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv6Network("2001::/23"),  # protocol assignments, Teredo
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),  # documentation
)
_UNICAST = IPv6Network("2000::/3")  # all that is assigned to the internet
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


def kind_of(address: IPAddress) -> Kind:
    """What an address is; an IPv4-mapped one is what its IPv4 address is."""
    address = plain(address)
    if _is_in(address, _INTERNAL):
        return Kind.INTERNAL
    if not address.is_global or address.is_multicast or address.is_reserved:
        return Kind.SPECIAL
    if _is_in(address, _SPECIAL) or (address.version == 6 and address not in _UNICAST):
        return Kind.SPECIAL
    return Kind.PUBLIC


def carried(address: IPAddress) -> IPv4Address | None:
    """The IPv4 address that a tunnel or translator would send it on to, if it is such a one."""
    if not isinstance(address, IPv6Address) or kind_of(address) is Kind.INTERNAL:
        return None
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour


def leads_to_internet(address: IPAddress) -> bool:
    """Whether who answers there is somebody on the internet, through a translator or not."""
    return kind_of(carried(address) or address) is Kind.PUBLIC


def _is_in(address: IPAddress, networks: Sequence[IPNetwork]) -> bool:
    return any(address in network for network in networks)
