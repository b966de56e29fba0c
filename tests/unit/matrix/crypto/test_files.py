"""Encrypted files, with somebody else's as the measure."""

import nio.crypto.attachments as theirs
import pytest

from lycatra_appservice.matrix.crypto.files import FileCipher

DATA = b"between us " * 999


def test_what_we_close_others_open() -> None:
    cipher = FileCipher()
    key = cipher.new_key(DATA)

    opened = theirs.decrypt_attachment(
        cipher.close(DATA, key), key["key"]["k"], key["hashes"]["sha256"], key["iv"]
    )

    assert opened == DATA


def test_what_others_close_we_open() -> None:
    closed, key = theirs.encrypt_attachment(DATA)

    assert FileCipher().open(closed, key) == DATA


def test_closing_it_again_gives_the_same_bytes() -> None:
    cipher = FileCipher()
    key = cipher.new_key(DATA)

    assert cipher.close(DATA, key) == cipher.close(DATA, key)
    assert cipher.new_key(DATA)["key"] != key["key"]


def test_a_file_that_was_changed_on_its_way_is_refused() -> None:
    closed, key = theirs.encrypt_attachment(DATA)

    with pytest.raises(ValueError, match="not the one that was sent"):
        FileCipher().open(closed[:-1] + b"!", key)


@pytest.mark.parametrize(
    "change",
    [{"v": "v1"}, {"iv": 7}, {"iv": "short"}, {"key": None}, {"key": {"k": "!"}}, {"hashes": {}}],
)
def test_what_is_no_key_is_refused(change: dict[str, object]) -> None:
    closed, key = theirs.encrypt_attachment(DATA)

    with pytest.raises(ValueError, match=r"."):
        FileCipher().open(closed, {**key, **change})
