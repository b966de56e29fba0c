"""What an operator may open to tools, and how it is written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.targets import Target, read_target
from tests.support.config_folder import SMALLEST, load, mistakes


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("wiki.internal:443", "wiki.internal:443"),
        (" Wiki.Internal:443 ", "wiki.internal:443"),
        ("my_service:80", "my_service:80"),
        ("localhost:1", "localhost:1"),
        ("10.0.0.5:8443", "10.0.0.5:8443"),
        ("10.0.0.5/32:8443", "10.0.0.5:8443"),
        ("10.1.0.0/24:443", "10.1.0.0/24:443"),
        ("[fd00:0::5]:443", "[fd00::5]:443"),
        ("[fd00::/64]:65535", "[fd00::/64]:65535"),
        ("[::ffff:10.0.0.5]:443", "10.0.0.5:443"),
    ],
)
def test_a_place_is_a_host_or_a_network_with_its_port(written: str, shown: str) -> None:
    assert str(read_target(written)) == shown


@pytest.mark.parametrize(
    "written",
    [
        *("", ":443", "wiki.internal", "wiki.internal:", "wiki.internal:0", "wiki.internal:65536"),
        *("wiki.internal:http", "https://wiki.internal:443", "wiki.internal:443/x", "*:443"),
        *(
            "*.internal:443",
            "a b:443",
            "me@wiki:443",
            "wiki..internal:443",
            "-x:443",
            "ä.test:443",
        ),
        *("127.1:443", "0x7f.1:443", "2130706433:443", "10.0.0.256:443", "10.0.0.5:443:80"),
        *("fd00::5:443", "[10.0.0.5]x:443", "[wiki]:443", "[fe80::1%eth0]:443", "::1"),
        *("10.1.0.5/24:443", "10.0.0.0/8:443", "0.0.0.0/0:443", "[::/0]:443", "[fc00::/7]:443"),
        *("10.0.0.0/33:443", "10.0.0.0/:443", "wiki.internal/24:443"),
    ],
)
def test_a_place_that_is_unclear_or_too_wide_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"^should be "):
        read_target(written)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_a_place_is_read_again_as_it_is_shown(address: object, port: int) -> None:
    target = Target.of_host(str(address), port)
    assert read_target(str(target)) == target


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://Wiki.internal/a", "wiki.internal:443"),
        ("http://user:secret@10.0.0.5/a", "10.0.0.5:80"),
        ("http://[::1]:9000", "[::1]:9000"),
    ],
)
def test_an_address_of_the_configuration_opens_its_host_and_port(url: str, shown: str) -> None:
    assert str(Target.of_url(url)) == shown


def test_the_list_stands_in_the_configuration(tmp_path: Path) -> None:
    written = "tools_http: {allow: ['wiki.internal:443', '[fd00::5]:80']}\n"
    settings = load(tmp_path, SMALLEST + written)
    assert [str(each) for each in settings.tools_http.allow] == [
        "wiki.internal:443",
        "[fd00::5]:80",
    ]
    assert load(tmp_path).tools_http.allow == ()


def test_the_list_may_come_from_the_environment(tmp_path: Path) -> None:
    environ = {"LYCATRA_TOOLS_HTTP__ALLOW": "wiki.internal:443, 10.1.0.0/24:443"}
    settings = load(tmp_path, environ=environ)
    assert [str(each) for each in settings.tools_http.allow] == [
        "wiki.internal:443",
        "10.1.0.0/24:443",
    ]


def test_each_mistake_in_the_list_is_told_with_its_line(tmp_path: Path) -> None:
    written = "tools_http:\n  allow:\n  - wiki.internal\n  - ok:1\n  - 10.0.0.0/8:443\n  - 80\n"
    problems = mistakes(tmp_path, SMALLEST + written)
    assert [problem.partition(": should be ")[0] for problem in problems] == [
        "config.yaml:9: tools_http.allow.0",
        "config.yaml:11: tools_http.allow.2",
        "config.yaml:12: tools_http.allow.3",
    ]
    assert "10.1.0.0/24:443" in problems[0]
    assert "narrower" in problems[1]
