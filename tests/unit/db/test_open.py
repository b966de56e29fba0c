"""Database URLs and the name of a process."""

from pathlib import Path

import pytest

from lycatra_appservice.db.open import new_owner_id, open_database, sqlite_path
from lycatra_appservice.errors import SettingsError, StoreUnavailableError


def test_each_start_has_a_name_of_its_own_that_postgres_keeps_whole() -> None:
    names = {new_owner_id() for _ in range(100)}

    assert len(names) == 100
    assert all(name.isascii() and name.isprintable() and len(name) <= 63 for name in names)


def test_the_path_of_an_sqlite_url_is_relative_with_three_slashes_absolute_with_four() -> None:
    assert sqlite_path("sqlite:///data/lycatra.db") == Path("data/lycatra.db")
    assert sqlite_path("sqlite:////var/lib/lycatra.db") == Path("/var/lib/lycatra.db")
    assert sqlite_path("postgresql://somewhere/lycatra") is None


@pytest.mark.parametrize(
    "url", ["mysql://lycatra:hunter2@db/x", "sqlite://", "sqlite:///", "sqlite:///:memory:", ""]
)
async def test_another_url_is_a_settings_error_that_keeps_the_password(url: str) -> None:
    with pytest.raises(SettingsError, match="postgresql://") as caught:
        await open_database(url)

    assert "hunter2" not in str(caught.value)


async def test_a_missing_folder_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="No such file or directory"):
        await open_database(f"sqlite:///{tmp_path}/missing/lycatra.db")
