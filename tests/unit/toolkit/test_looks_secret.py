"""What looks like a secret is taken out of texts of others, and nothing else is."""

import pytest

from lycatra_appservice.toolkit.looks_secret import without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=abc", "password=***"),
        ("password = 'a b' and on", "password = *** and on"),
        ('{"userPassword":"a\\"b","x":1}', '{"userPassword":***,"x":1}'),
        ("apiKey: abc, next", "apiKey: ***, next"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("Cookie: a=b; c=d", "Cookie: ***"),
        ("curl -H 'Authorization: Basic abc' x", "curl -H 'Authorization: ***' x"),
        ("https://user:pw@host/x", "https://user:***@host/x"),
        ("?sig=1&access_token=abc&b=2", "?sig=1&access_token=***&b=2"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----",
        ),
        ("-----BEGIN PRIVATE KEY-----\nabc", "-----BEGIN PRIVATE KEY-----***"),
        ("key AKIAABCDEFGHIJKLMNOP used", "key *** used"),
        ('password="without an end', "password=***"),
    ],
)
def test_the_secret_goes_and_the_rest_stays(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "GET /login HTTP/1.1 200 12 ms",
        "the password was changed by @alice:example.org",
        "duplicate key value violates unique constraint",
        "2026-11-22T10:00:00Z INFO started on http://localhost:8080/",
        "compass: north",
        "",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "password" * 20_000,
        "password=" * 20_000,
        'password="' + "\\" * 200_000,
        'password="' + '\\"' * 100_000,
        "://" * 60_000,
        "://a:" * 40_000,
        "-----BEGIN PRIVATE KEY-----" * 8_000,
        "eyJaaaaaaaa." * 15_000,
        "bearer " * 30_000,
        "cookie: " * 30_000,
        "pass " * 40_000,
        "session_" * 30_000,
        "A" * 200_000,
        "token_" + "a" * 200_000,
    ],
)
def test_no_text_keeps_it_busy(text: str) -> None:
    assert isinstance(without_secrets(text), str)  # and does not take minutes
