"""What the settings promise by themselves: frozen, safe defaults, checked values."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from lycatra_appservice.settings import Settings

TOKENS = {"as_token": "a" * 32, "hs_token": "h" * 32}
HOMESERVER = {"url": "http://localhost:8008/", "server_name": "hs.test"}


def settings(**sections: object) -> Settings:
    return Settings.model_validate({"homeserver": HOMESERVER, "appservice": TOKENS, **sections})


def test_the_smallest_configuration_gives_working_defaults() -> None:
    complete = settings()
    assert complete.homeserver.url == "http://localhost:8008"
    assert complete.bot.sender_localpart == "lycatra_sender"
    assert complete.model is None
    assert complete.commands.prefixes == ("!", "/")
    assert complete.turns.lease == timedelta(seconds=15)
    assert complete.zone.key == "UTC"
    assert complete.database.url.get_secret_value() == "sqlite:///data/lycatra.db"


def test_only_people_of_the_own_server_are_viewers_by_default() -> None:
    access = settings().access
    assert access.viewer == ("*:hs.test",)
    assert access.admin == access.operator == access.none == ()


def test_an_empty_list_of_viewers_is_nobody() -> None:
    assert settings(access={"viewer": []}).access.viewer == ()


def test_settings_cannot_be_changed() -> None:
    name = "localpart"
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings().bot, name, "other")


def test_equal_tokens_are_refused() -> None:
    with pytest.raises(ValidationError, match="should be different"):
        Settings.model_validate(
            {"homeserver": HOMESERVER, "appservice": {**TOKENS, "hs_token": TOKENS["as_token"]}}
        )


@pytest.mark.parametrize(
    "entry",
    [
        "*",
        "*:hs.test",
        "@alice:hs.test",
        "@a:[::1]:8448",
        "room:!abc:hs.test",
        "room:!a-room-of-version-12",
        "power:50",
        "power:100 in !abc:hs.test",
    ],
)
def test_an_entry_of_an_access_list_may_be(entry: str) -> None:
    assert settings(access={"admin": [entry]}).access.admin == (entry,)


@pytest.mark.parametrize(
    "entry",
    [
        *("alice", "@alice", "alice:hs.test", "@:hs.test", "*:", "*:hs.test/", "**", "", "@a:*"),
        *("room:#ops:hs.test", "room:ops", "!abc:hs.test", "power:high", "power:50 in #ops:hs"),
    ],
)
def test_an_entry_of_an_access_list_may_not_be(entry: str) -> None:
    with pytest.raises(ValidationError):
        settings(access={"admin": [entry]})


@pytest.mark.parametrize("entry", ["room:!abc:hs.test", "power:50", "alice"])
def test_who_is_ignored_is_a_person_or_a_server(entry: str) -> None:
    with pytest.raises(ValidationError, match="should be a Matrix ID '@name:server', a whole"):
        settings(access={"ignored": [entry]})


@pytest.mark.parametrize(
    "localpart", ["", "Lycatra", "lyca tra", "_lycatra", "lyc@tra", "l=1", "a+b", "ly/ca", "ä"]
)
def test_a_localpart_that_synapse_would_refuse_is_refused(localpart: str) -> None:
    with pytest.raises(ValidationError):
        settings(bot={"localpart": localpart})


@pytest.mark.parametrize(
    "url",
    ["localhost:8008", "ftp://x", "http://", "http://u:p@x", "http://x/?a", "http://x:99999", ""],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        settings(homeserver={**HOMESERVER, "url": url})


@pytest.mark.parametrize("name", ["https://hs.test", "hs.test/", "hs_test", "", "@a:hs.test"])
def test_a_server_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        settings(homeserver={**HOMESERVER, "server_name": name})


@pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "", "Europe"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError):
        settings(timezone=zone)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (90, timedelta(seconds=90)),
        (1.5, timedelta(seconds=1.5)),
        ("90", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("2 h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
    ],
)
def test_a_span_is_a_number_of_seconds_or_has_its_unit(written: object, meant: timedelta) -> None:
    assert settings(turns={"lease": written}).turns.lease == meant


@pytest.mark.parametrize("written", [0, -1, "soon", "1y", True, None, [1], float("nan"), 10**30])
def test_a_span_that_is_none_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        settings(turns={"lease": written})


@pytest.mark.parametrize(
    "url", ["mysql://u@h/d", "sqlite:data.db", "sqlite:///", "sqlite:///:memory:"]
)
def test_a_database_that_keeps_nothing_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        settings(database={"url": url})


def test_only_sqlite_has_a_file() -> None:
    assert settings(database={"url": "postgresql://u@h/d"}).database.sqlite_file is None
    assert settings(database={"url": "sqlite:////var/x.db"}).database.sqlite_file == Path(
        "/var/x.db"
    )


@pytest.mark.parametrize("prefix", ["a", "", "! !", "@", "#", "!!!!"])
def test_a_prefix_that_begins_ordinary_messages_is_refused(prefix: str) -> None:
    with pytest.raises(ValidationError):
        settings(commands={"prefixes": [prefix]})
