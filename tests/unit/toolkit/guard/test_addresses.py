"""Whatever address somebody thinks of: only the internet is open by itself."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lycatra_appservice.targets import IPAddress, Target
from lycatra_appservice.toolkit.guard.addresses import Kind, kind_of
from lycatra_appservice.toolkit.guard.allowance import Allowance, Peer

# As the IANA registries of special-purpose addresses have it, beside what `ipaddress` knows.
NEVER = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/8", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32"),
    *("2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
]
NETWORKS = [IPv6Network(each) if ":" in each else IPv4Network(each) for each in NEVER]

HTTPS = Peer(host="evil.example", port=443, encrypted=True)


def within(network: IPv4Network | IPv6Network) -> st.SearchStrategy[IPAddress]:
    return st.ip_addresses(network=network)


def wrapped(inner: IPv4Address, how: str) -> IPv6Address:
    number = int(inner)
    return IPv6Address(
        {
            "mapped": 0xFFFF << 32 | number,
            "compatible": number,
            "translated": 0xFFFF << 48 | number,
            "nat64": 0x64FF9B << 96 | number,
            "6to4": 0x2002 << 112 | number << 80,
            "teredo": 0x20010000 << 96 | 0x01010101 << 64 | (number ^ 0xFFFF_FFFF),
        }[how]
    )


FORMS = ("mapped", "compatible", "translated", "nat64", "6to4", "teredo")
anything = st.one_of(
    st.ip_addresses(),
    *map(within, NETWORKS),
    st.builds(wrapped, st.ip_addresses(v=4), st.sampled_from(FORMS)),
)


def unwrapped(address: IPAddress) -> IPAddress:
    if isinstance(address, IPv4Address):
        return address
    if address in IPv6Network("64:ff9b::/96") or address in IPv6Network("::/96"):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


@given(anything)
@example(ip_address("64:ff9b::7f00:1"))
@example(ip_address("2002:7f00:1::"))
@example(ip_address("::7f00:1"))
@example(ip_address("::ffff:127.0.0.1"))
@example(ip_address("224.0.0.1"))
@example(ip_address("ff02::1"))
@example(ip_address("192.88.99.1"))
@example(ip_address("100.64.0.1"))
def test_only_global_unicast_is_open_without_being_listed(address: IPAddress) -> None:
    if Allowance().objection(HTTPS, address) is not None:
        return
    found = unwrapped(address)
    assert found.is_global
    assert not found.is_multicast
    assert not any(found in network or address in network for network in _without_mapped(address))


def _without_mapped(address: IPAddress) -> list[IPv4Network | IPv6Network]:
    """A mapped address is its IPv4 address and nothing else, though it lies in ::/8."""
    is_mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    return [each for each in NETWORKS if not (is_mapped and each.version == 6)]


@given(anything, st.sampled_from(["shop.example", "wiki.internal"]))
def test_what_leads_through_a_tunnel_is_open_to_no_listed_name(
    address: IPAddress, name: str
) -> None:
    peer = Peer(host=name, port=443, encrypted=True)
    allowance = Allowance([Target(name, 443)])
    if isinstance(address, IPv6Address) and unwrapped(address) != address:
        judged = address.ipv4_mapped or address
        same = allowance.objection(peer, judged)
        assert allowance.objection(peer, address) == same
        assert judged != address or same is not None or kind_of(address) is Kind.INTERNAL


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"]
)
def test_the_internet_is_open(address: str) -> None:
    assert Allowance().objection(HTTPS, ip_address(address)) is None


@given(anything)
def test_who_came_by_a_redirect_from_the_internet_stays_there(address: IPAddress) -> None:
    peer = Peer(host="wiki.internal", port=80, encrypted=False, sent_from_internet=True)
    allowance = Allowance([Target("wiki.internal", 80)])
    if allowance.objection(peer, address) is None:
        assert kind_of(address) is Kind.PUBLIC
