"""`lycatra token`: tokens of people, made and ended by whoever runs the service."""

import re
from pathlib import Path

import pytest

from tests.support.config_folder import WITHOUT_TOKENS, write_config
from tests.unit.cli.conftest import Lycatra

OWNER = ("--owner", "@alice:example.org")
SECRET = re.compile(r"lyc_[A-Za-z0-9_-]{43}")


@pytest.fixture(autouse=True)
def config(folder: Path, lycatra: Lycatra) -> Path:
    """A configuration, and its database as `lycatra migrate` leaves it."""
    file = write_config(folder, WITHOUT_TOKENS)
    assert lycatra("migrate").code == 0
    return file


def test_a_token_is_printed_once_listed_and_ended(lycatra: Lycatra, folder: Path) -> None:
    made = lycatra("token", "new", "laptop", *OWNER, "--scope", "read", "--days", "3")
    assert (made.code, made.err) == (0, "")
    secret = made.out.strip()
    assert SECRET.fullmatch(secret)
    listed = lycatra("token", "list").out
    assert "@alice:example.org\tlaptop\tread" in listed
    assert secret not in listed
    assert not any(secret.encode() in file.read_bytes() for file in (folder / "data").iterdir())
    assert lycatra("token", "revoke", "laptop", *OWNER).code == 0
    assert lycatra("token", "list").out.strip() == "there is no living token"


@pytest.mark.parametrize(
    "words",
    [
        ("new", "laptop", "--owner", "alice"),
        ("new", "a b", *OWNER),
        ("new", "laptop", *OWNER, "--days", "0"),
        ("new", "laptop", *OWNER, "--room", "kitchen"),
        ("revoke", "laptop", *OWNER),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_makes_nothing(
    lycatra: Lycatra, words: tuple[str, ...]
) -> None:
    outcome = lycatra("token", *words)
    assert outcome.code != 0
    assert len(outcome.err.splitlines()) == 1
    assert "there is no living token" in lycatra("token", "list").out


def test_a_name_is_only_once_for_a_person(lycatra: Lycatra) -> None:
    assert lycatra("token", "new", "laptop", *OWNER).code == 0
    assert lycatra("token", "new", "laptop", *OWNER).code != 0
    assert lycatra("token", "new", "laptop", "--owner", "@bob:example.org").code == 0
