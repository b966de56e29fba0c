"""Redirects as addresses; what needs TLS to be seen from outside."""

import pytest
from yarl import URL

from lycatra_appservice.toolkit.base import OutboundRefusedError
from lycatra_appservice.toolkit.guard.web_address import followed, read_url


def test_a_redirect_never_leaves_tls() -> None:
    with pytest.raises(OutboundRefusedError, match="from https to http"):
        followed(URL("https://shop.example/"), "http://shop.example/")


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/b", "https://shop.example/b"),
        ("b?c#d", "https://shop.example/a/b?c"),
        ("//mirror.example", "https://mirror.example/"),
    ],
)
def test_a_redirect_may_be_relative(location: str, leads_to: str) -> None:
    assert followed(URL("https://shop.example/a/"), location) == URL(leads_to)


def test_a_fragment_stays_here() -> None:
    assert str(read_url("https://shop.example/a%2Fb?c=%2B#secret")) == (
        "https://shop.example/a%2Fb?c=%2B"
    )


@pytest.mark.parametrize("zone", ["%25lo", "%lo", "%2525x"])
def test_an_address_with_a_zone_of_this_machine_is_none(zone: str) -> None:
    with pytest.raises(OutboundRefusedError, match="its host is not valid"):
        read_url(f"https://[fe80::1{zone}]/")
