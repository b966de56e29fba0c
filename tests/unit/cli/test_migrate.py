"""`lycatra migrate`: brings a database up to date, or only looks."""

from pathlib import Path

import pytest

from tests.support.config_folder import WITHOUT_TOKENS, write_config
from tests.unit.cli.conftest import Lycatra

DATABASE = Path("data/lycatra.db")


@pytest.fixture(autouse=True)
def config(folder: Path) -> Path:
    """A configuration with the default database."""
    return write_config(folder, WITHOUT_TOKENS)


def test_a_fresh_database_is_made_and_a_second_time_changes_nothing(lycatra: Lycatra) -> None:
    first = lycatra("migrate")
    assert (first.code, first.err) == (0, "")
    assert DATABASE.exists()
    assert lycatra("migrate").out == first.out


def test_looking_changes_nothing(lycatra: Lycatra, folder: Path) -> None:
    outcome = lycatra("migrate", "--check")
    assert outcome.code == 0
    assert "no database yet" in outcome.out
    assert not DATABASE.parent.exists()
    lycatra("migrate")
    assert "this program has schema" in lycatra("migrate", "--check").out


def test_a_database_that_cannot_be_opened_is_one_sentence(lycatra: Lycatra, folder: Path) -> None:
    (folder / "data").write_text("not a folder")
    outcome = lycatra("migrate")
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1
