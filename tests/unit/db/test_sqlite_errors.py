"""What a store sees of SQLite's own errors."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lycatra_appservice.db.sqlite_errors import translated
from lycatra_appservice.errors import StoreBusyError, StoreUnavailableError


def test_a_file_locked_by_another_process_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as writer,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other,
    ):
        writer.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreBusyError, match="begin: database is locked"), translated("begin"):
            other.execute("BEGIN IMMEDIATE")


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"no database at all" * 100)
    with (
        closing(sqlite3.connect(path)) as connection,
        pytest.raises(StoreUnavailableError, match="not a database"),
        translated("read"),
    ):
        connection.execute("SELECT * FROM sqlite_master")


def test_a_number_too_large_is_a_bad_value() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(ValueError, match="read"),
        translated("read"),
    ):
        connection.execute("SELECT ?", (2**70,))


def test_a_mistake_in_our_sql_keeps_its_own_error() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(sqlite3.OperationalError, match="no such table"),
        translated("read"),
    ):
        connection.execute("SELECT * FROM nowhere")
