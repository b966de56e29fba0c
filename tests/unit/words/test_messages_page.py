"""docs/MESSAGES.md says what the catalogue says.

With LYCATRA_WRITE_DOCS=1 in the environment the page is written before it is compared.
"""

import os
from pathlib import Path

from tests.unit.words.messages_page import messages_page, topics
from tests.unit.words.reading import PACKAGE, codes, tables

PAGE = Path(PACKAGE.parent / "docs" / "MESSAGES.md")


def test_the_page_is_what_the_catalogue_gives() -> None:
    if os.environ.get("LYCATRA_WRITE_DOCS"):
        PAGE.write_text(messages_page(), "utf-8")

    is_same = PAGE.read_text("utf-8") == messages_page()
    assert is_same, "write the page anew as its first lines say"


def test_every_text_stands_on_the_page_once_below_a_topic() -> None:
    keys = [key for _, below in topics() for key in below]

    assert keys == list(tables("en"))
    assert len(set(keys)) == len(keys)
    assert all(below for _, below in topics())


def test_every_language_has_its_column() -> None:
    page = messages_page()

    for code in codes():
        assert tables(code)["was_reset"]["text"] in page
