"""Places that a configuration opens to tools: a host or a narrow network, and one port."""

import re
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias
from urllib.parse import urlsplit

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network

_WRITTEN = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:/\d{1,3})?)\]|(?P<place>[^\s:\[\]]+)):(?P<port>\d{1,5})"
)
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
# What a resolver may read as an address: 10.1, 0x7f.1, 2130706433.
_NUMBER = re.compile(r"(?:\d+|0x[0-9a-f]*)\.?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SHAPE = "should be like wiki.internal:443, 10.0.0.5:8443, 10.1.0.0/24:443 or [fd00::5]:443"
# Wider ones would open nearly a whole private range.
_WIDEST_IPV4_PREFIX, _WIDEST_IPV6_PREFIX = 16, 48


@dataclass(frozen=True, slots=True)
class Target:
    """One place: a host by the name it is asked for (lower case), or a network; and a port."""

    place: str | IPNetwork
    port: int

    def __str__(self) -> str:
        """As it is written in a configuration."""
        place = str(self.place)
        if not isinstance(self.place, str) and self.place.prefixlen == self.place.max_prefixlen:
            place = str(self.place.network_address)
        return f"[{place}]:{self.port}" if ":" in place else f"{place}:{self.port}"

    @classmethod
    def of_host(cls, host: str, port: int) -> "Target":
        """A host by its name or address, without brackets."""
        try:
            address = ip_address(host)
        except ValueError:
            return cls(host.lower(), port)
        return cls(ip_network(plain(address)), port)

    @classmethod
    def of_url(cls, url: str) -> "Target":
        """The host and port of a checked http or https address."""
        parts = urlsplit(url)
        return cls.of_host(parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme])


def plain(address: IPAddress) -> IPAddress:
    """The IPv4 address that a connection to an IPv4-mapped one goes to, else the same again."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def read_target(text: str) -> Target:
    """Read `host:port`, `10.1.0.0/24:443` or `[fd00::/64]:443`.

    Raises ValueError with a sentence that begins with "should".
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or not 0 < int(found["port"]) < 65_536:
        raise ValueError(f"{_SHAPE}, with a port from 1 to 65535")
    port = int(found["port"])
    place = found["v6"] or found["place"]
    if "/" in place:
        return Target(_network(place), port)
    target = Target.of_host(place, port)
    if isinstance(target.place, str) and (found["v6"] or not _is_name(target.place)):
        raise ValueError(_SHAPE)
    return target


def _network(text: str) -> IPNetwork:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            "should be a network written with its first address, such as 10.1.0.0/24:443"
        ) from None
    widest = _WIDEST_IPV4_PREFIX if network.version == 4 else _WIDEST_IPV6_PREFIX
    if network.prefixlen < widest:
        raise ValueError(f"should be narrower: at most a /{widest}, better the hosts themselves")
    return network


def _is_name(text: str) -> bool:
    last = text.rstrip(".").rpartition(".")[2]
    return _NAME.fullmatch(text) is not None and _NUMBER.fullmatch(last) is None
