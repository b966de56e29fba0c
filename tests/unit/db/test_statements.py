"""Statements: how the text in a .sql file becomes what each driver wants."""

from pathlib import Path

import pytest

from lycatra_appservice.db.statements import Dialect, Statements, parse_statement


def test_a_name_used_twice_is_one_numbered_parameter() -> None:
    statement = parse_statement("s", "SELECT :a, :b WHERE :a > 0")

    assert statement.numbered == "SELECT $1, $2 WHERE $1 > 0"
    assert statement.parameters == ("a", "b")
    assert statement.text == "SELECT :a, :b WHERE :a > 0"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'it''s :not'",
        'SELECT "a:not"',
        "SELECT 1::bigint",
        "SELECT 1 -- isn't :not\n",
    ],
)
def test_quotes_casts_and_comments_hold_no_parameters(text: str) -> None:
    statement = parse_statement("s", text)

    assert statement.parameters == ()
    assert statement.numbered == text


def test_a_parameter_after_a_quoted_text_is_found() -> None:
    statement = parse_statement("s", "SELECT 'a', CAST(:x AS bigint) -- :no\n, :y::text")

    assert statement.parameters == ("x", "y")
    assert statement.numbered == "SELECT 'a', CAST($1 AS bigint) -- :no\n, $2::text"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # A name of its own, because what was read of a package is kept.
    folder = tmp_path / f"statements_{tmp_path.name}"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_each_engine_gets_the_shared_statements_and_its_own(package: Path) -> None:
    (package / "notes.sql").write_text("-- name: both\nSELECT 1;\n", encoding="utf-8")
    (package / "notes.sqlite.sql").write_text("-- name: own\nSELECT 2;\n", encoding="utf-8")
    (package / "notes.postgres.sql").write_text("-- name: own\nSELECT 3;\n", encoding="utf-8")

    sqlite = Statements.load(package.name, "notes", Dialect.SQLITE)
    postgres = Statements.load(package.name, "notes", Dialect.POSTGRES)

    assert (sqlite["both"].text, sqlite["own"].text) == ("SELECT 1", "SELECT 2")
    assert (postgres["both"].text, postgres["own"].text) == ("SELECT 1", "SELECT 3")


def test_a_name_in_the_shared_and_in_the_own_file_stops_the_start(package: Path) -> None:
    (package / "notes.sql").write_text("-- name: one\nSELECT 1;\n", encoding="utf-8")
    (package / "notes.sqlite.sql").write_text("-- name: one\nSELECT 2;\n", encoding="utf-8")

    with pytest.raises(ValueError, match="'one' is written twice"):
        Statements.load(package.name, "notes", Dialect.SQLITE)
