"""Two spellings of one emoji are one key."""

import pytest

from lycatra_appservice.chat.emoji import plain_emoji


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ("1️⃣", "1\u20e3"),
        ("1\u20e3", "1\u20e3"),
        ("1\ufe0e\u20e3", "1\u20e3"),
        ("✅", "✅"),
        ("✔️", "✔"),
        ("✔", "✔"),
        ("👍", "👍"),
        ("👍🏻", "👍"),
        ("👍🏿", "👍"),
        ("👍🏽\ufe0f", "👍"),
        ("⏹️", "⏹"),
        ("🛑", "🛑"),
        ("👨🏽‍💻", "👨‍💻"),
        ("❤️", "❤"),
        (" 🛑 ", "🛑"),
        ("yes", "yes"),
        ("mxc://hs.test/party", "mxc://hs.test/party"),
        ("", ""),
    ],
)
def test_looks_and_skin_tones_make_no_difference(key: str, plain: str) -> None:
    assert plain_emoji(key) == plain


@pytest.mark.parametrize(
    ("one", "other"), [("👍", "👎"), ("1️⃣", "2️⃣"), ("✅", "✔️"), ("🛑", "⏹️"), ("👩‍💻", "👨‍💻")]
)
def test_different_emoji_stay_different(one: str, other: str) -> None:
    assert plain_emoji(one) != plain_emoji(other)
