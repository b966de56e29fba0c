"""Who is ours."""

import re

import pytest

from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import UserID
from tests.unit.matrix.conftest import Namespace


def test_every_user_derives_from_the_one_localpart() -> None:
    users = VirtualUsers(
        localpart="bot",
        server_name="example.org",
        namespaces=[Namespace("updates", "Updates"), Namespace("logs", "Logs")],
    )

    assert users.main == "@bot:example.org"
    assert users.sender == "@bot_sender:example.org"
    assert users.all == ("@bot:example.org", "@bot_updates:example.org", "@bot_logs:example.org")
    assert users.of("updates") == "@bot_updates:example.org"
    assert users.localpart_of(users.of("logs")) == "bot_logs"
    assert users.device_id == "LYC"


def test_a_user_leads_back_to_its_namespace(users: VirtualUsers) -> None:
    assert users.namespace_of(users.of("services")) == "services"
    assert users.namespace_of(users.main) is None
    assert users.namespace_of(users.sender) is None
    assert users.namespace_of(UserID("@lycatra_nope:hs.test")) is None


def test_people_read_the_display_names(users: VirtualUsers) -> None:
    assert users.display_name(users.main) == "Lycatra"
    assert users.display_name(users.of("updates")) == "Updates"
    assert users.display_name(users.sender) == "Lycatra (technical)"


@pytest.mark.parametrize(
    ("user_id", "ours"),
    [
        ("@lycatra:hs.test", True),
        ("@lycatra_updates:hs.test", True),
        ("@lycatra_sender:hs.test", True),
        ("@lycatra_nope:hs.test", True),
        ("@lycatra_:hs.test", False),
        ("@lycatrafan:hs.test", False),
        ("@alycatra:hs.test", False),
        ("@lycatra:hs.test.evil.org", False),
        ("@lycatra:hsxtest", False),
        ("@lycatra:hs.test:8448", False),
        ("@lycatra:HS.TEST", False),
        ("@lycatra", False),
        ("lycatra:hs.test", False),
        ("", False),
    ],
)
def test_ours_is_decided_by_the_exact_server_and_localpart(
    users: VirtualUsers, user_id: str, ours: bool
) -> None:
    assert users.is_ours(user_id) is ours
    assert bool(re.match(users.pattern, user_id)) is ours


def test_an_unconfigured_user_is_ours_but_does_not_exist(users: VirtualUsers) -> None:
    assert users.is_ours("@lycatra_nope:hs.test")
    assert not users.exists("@lycatra_nope:hs.test")
    assert users.exists(users.sender)
    with pytest.raises(KeyError):
        users.of("nope")
    with pytest.raises(KeyError):
        users.of("sender")


@pytest.mark.parametrize("name", ["sender", "Updates", "two words", "", "1st", "x" * 250])
def test_a_namespace_that_cannot_have_a_user_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="namespace"):
        VirtualUsers(server_name="hs.test", namespaces=[Namespace(name, "X")])


def test_two_namespaces_of_one_name_are_refused() -> None:
    twice = [Namespace("logs", "Logs"), Namespace("logs", "More logs")]
    with pytest.raises(ValueError, match="two namespaces"):
        VirtualUsers(server_name="hs.test", namespaces=twice)


def test_a_localpart_with_capitals_is_refused() -> None:
    with pytest.raises(ValueError, match="localpart"):
        VirtualUsers(localpart="Bot", server_name="hs.test", namespaces=[])
