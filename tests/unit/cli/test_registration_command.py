"""`lycatra registration`: keeps what is there, writes whole files, and is private by default."""

import os
import stat
from pathlib import Path

import pytest

from lycatra_appservice.registration import PREVIOUS_KEY, read_registration
from tests.support.config_folder import SMALLEST, WITHOUT_TOKENS, write_config
from tests.unit.cli.conftest import Lycatra

posix_only = pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX systems")
FILE = Path("registration/lycatra.yaml")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def config(folder: Path) -> Path:
    """A configuration that has no tokens yet."""
    return write_config(folder, WITHOUT_TOKENS)


def test_it_is_written_before_there_are_tokens_and_makes_the_configuration_complete(
    lycatra: Lycatra, folder: Path
) -> None:
    assert lycatra("check").code == 2
    outcome = lycatra("registration")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"app_service_config_files:\n      - {folder / FILE}" in outcome.out
    assert "restart Synapse" in outcome.out
    assert lycatra("check").code == 0


def test_a_second_time_changes_nothing(lycatra: Lycatra) -> None:
    lycatra("registration")
    before, written = FILE.read_bytes(), FILE.stat().st_mtime_ns
    outcome = lycatra("registration")
    assert outcome.code == 0
    assert "is up to date" in outcome.out
    assert (FILE.read_bytes(), FILE.stat().st_mtime_ns) == (before, written)


def test_no_token_is_printed(lycatra: Lycatra) -> None:
    out = lycatra("registration").out + lycatra("registration", "--rotate").out
    content = read_registration(FILE)
    for key in ("as_token", "hs_token", PREVIOUS_KEY):
        assert content[key] not in out


def test_a_changed_configuration_keeps_the_tokens_and_the_keys_of_others(
    lycatra: Lycatra, folder: Path
) -> None:
    lycatra("registration")
    before = read_registration(FILE)
    with FILE.open("a") as file:
        file.write("protocols: [irc]\n")
    write_config(folder, WITHOUT_TOKENS + "bot: {localpart: helper}\n")
    outcome = lycatra("registration")
    assert "with other values of sender_localpart, namespaces" in outcome.out
    after = read_registration(FILE)
    assert after["sender_localpart"] == "helper_sender"
    assert after["protocols"] == ["irc"]
    assert (after["as_token"], after["hs_token"]) == (before["as_token"], before["hs_token"])


def test_a_rotation_keeps_the_old_hs_token_until_it_is_ended(lycatra: Lycatra) -> None:
    lycatra("registration")
    before = read_registration(FILE)
    outcome = lycatra("registration", "--rotate")
    during = read_registration(FILE)
    assert "restart Lycatra" in outcome.out
    assert during["as_token"] != before["as_token"]
    assert during["hs_token"] != before["hs_token"]
    assert during[PREVIOUS_KEY] == before["hs_token"]

    assert "is up to date" in lycatra("registration").out
    assert lycatra("registration", "--rotate").code == 1
    assert read_registration(FILE) == during

    assert lycatra("registration", "--end-rotation").code == 0
    assert read_registration(FILE) == {
        key: value for key, value in during.items() if key != PREVIOUS_KEY
    }


def test_there_is_nothing_to_rotate_before_the_first_time(lycatra: Lycatra) -> None:
    outcome = lycatra("registration", "--rotate")
    assert outcome.code == 1
    assert "nothing to rotate" in outcome.err
    assert not FILE.exists()


def test_tokens_of_the_configuration_are_the_ones_written(lycatra: Lycatra, folder: Path) -> None:
    write_config(folder, SMALLEST)
    lycatra("registration")
    assert read_registration(FILE)["hs_token"] == "hs-token-of-a-test-0123456789abcdef"
    outcome = lycatra("registration", "--rotate")
    assert outcome.code == 1
    assert "change them there" in outcome.err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a: [", "is not a registration file"),
        ("", "is not a registration file"),
        ("id: lycatra\n", "has no usable as_token"),
        ("id: telegram\nas_token: a\nhs_token: b\nsender_localpart: t\n", "belongs to another"),
    ],
)
def test_a_file_that_is_not_ours_is_left_alone(
    lycatra: Lycatra, content: str, sentence: str
) -> None:
    FILE.parent.mkdir()
    FILE.write_text(content)
    for words in ((), ("--rotate",)):
        outcome = lycatra("registration", *words)
        assert outcome.code == 1
        assert sentence in outcome.err
    assert FILE.read_text() == content


def test_another_place_is_told_to_the_configuration(lycatra: Lycatra, folder: Path) -> None:
    outcome = lycatra("registration", "-o", "elsewhere/x.yaml")
    assert f"appservice.registration_file: {folder / 'elsewhere/x.yaml'}" in outcome.out
    assert (folder / "elsewhere/x.yaml").exists()


@posix_only
def test_it_is_private_unless_told_otherwise(lycatra: Lycatra) -> None:
    lycatra("registration")
    assert (mode(FILE), mode(FILE.parent)) == (0o600, 0o700)


@posix_only
def test_a_mode_is_given_and_kept(lycatra: Lycatra) -> None:
    lycatra("registration", "--mode", "0640")
    assert (mode(FILE), mode(FILE.parent)) == (0o640, 0o750)
    lycatra("registration", "--rotate")
    assert mode(FILE) == 0o640
    lycatra("registration", "--mode", "600")
    assert mode(FILE) == 0o600


@posix_only
def test_a_folder_that_exists_keeps_its_mode(lycatra: Lycatra) -> None:
    FILE.parent.mkdir(mode=0o755)
    lycatra("registration")
    assert mode(FILE.parent) == 0o755


@posix_only
def test_a_mode_for_everybody_is_warned_of(lycatra: Lycatra) -> None:
    assert "Every user of this computer" in lycatra("registration", "--mode", "0644").out


@pytest.mark.parametrize("wrong", ["0777", "0660", "0666", "rw", "9", ""])
def test_a_mode_that_lets_others_write_is_refused(lycatra: Lycatra, wrong: str) -> None:
    outcome = lycatra("registration", "--mode", wrong)
    assert outcome.code == 2
    assert not FILE.exists()


@posix_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_root_gives_it_to_synapse(lycatra: Lycatra) -> None:
    lycatra("registration", "--owner", "991:992")
    for path in (FILE, FILE.parent):
        assert (path.stat().st_uid, path.stat().st_gid) == (991, 992)
    lycatra("registration", "--rotate")
    assert (FILE.stat().st_uid, mode(FILE)) == (991, 0o600)


def test_an_owner_that_is_none_is_refused(lycatra: Lycatra) -> None:
    assert lycatra("registration", "--owner", "synapse").code == 2


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(
    lycatra: Lycatra, folder: Path
) -> None:
    (folder / "file").touch()
    outcome = lycatra("registration", "-o", "file/lycatra.yaml")
    assert outcome.code == 1
    assert outcome.err.startswith("lycatra: cannot ")
    FILE.parent.mkdir()
    FILE.mkdir()
    assert lycatra("registration").code == 1
    assert list(FILE.parent.iterdir()) == [FILE]


def test_a_link_stays_a_link(lycatra: Lycatra, folder: Path) -> None:
    (folder / "real").mkdir()
    FILE.parent.mkdir()
    FILE.symlink_to(folder / "real/lycatra.yaml")
    lycatra("registration")
    assert FILE.is_symlink()
    assert (folder / "real/lycatra.yaml").is_file()
