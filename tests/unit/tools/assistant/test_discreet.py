"""What is a secret is not kept; what only talks about one is."""

import pytest

from lycatra_appservice.toolkit.base import ToolFailedError
from lycatra_appservice.tools.assistant._discreet import check_discreet


@pytest.mark.parametrize(
    "text",
    [
        "The wifi password is hunter2",
        "The wifi password: hunter2-is-it",
        "the password of the router: 4711-elephant",
        "Das WLAN-Passwort lautet Sonnenblume.",
        "Our passwords are swordfish",
        "the api key for the weather is abcdef",
        "The PIN of the door is 4711",
        "Türcode: 123456",
        "https://bob:hunter2@example.org/",
        "-----BEGIN PRIVATE KEY-----\nabc",
    ],
)
def test_what_is_a_secret_is_refused_with_what_to_do_instead(text: str) -> None:
    with pytest.raises(ToolFailedError, match="password manager"):
        check_discreet(text)


@pytest.mark.parametrize(
    "text",
    [
        "The password of the router is in the safe",
        "Das Passwort ist im Tresor.",
        "Passwords live in the vault on the share",
        "The password is changed every 90 days",
        "Password resets are done by Anna",
        "Die PIN liegt im Tresor",
        "The GPIO pin is 17",
        "The router is in the cellar",
    ],
)
def test_where_one_is_may_be_told(text: str) -> None:
    check_discreet(text)
