"""What is said about a database, on both engines."""

from pathlib import Path

from pydantic import SecretStr

from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.db.open import open_database
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.doctor.database import check_database
from lycatra_appservice.doctor.findings import Finding, Level
from lycatra_appservice.settings import DatabaseSettings

NEWER = parse_statement("newer", "INSERT INTO schema_version(version, compat) VALUES (999, 999)")
TABLES = parse_statement("trial", "SELECT count(*) AS n FROM schema_version")


async def found(url: str) -> dict[str, Finding]:
    findings = await check_database(DatabaseSettings(url=SecretStr(url)))
    return {finding.check: finding for finding in findings}


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


def in_file(path: Path) -> str:
    return f"sqlite:///{path}"


async def test_a_database_of_this_version_is_well_and_stays_as_it_is(
    database: UpgradableDatabase, database_url: str
) -> None:
    before = await database.fetch(TABLES)
    findings = await found(database_url)
    assert {finding.level for finding in findings.values()} == {Level.OK}
    assert set(findings) == {"database.schema", "database.writable"}
    assert (await found(database_url)).keys() == findings.keys()  # the trial left nothing
    assert await database.fetch(TABLES) == before


async def test_an_empty_database_will_be_brought_up_to_date(empty_database_url: str) -> None:
    await (await open_database(empty_database_url)).database.close()
    findings = await found(empty_database_url)
    assert "the next start brings it to" in findings["database.schema"].what


async def test_a_database_of_a_newer_program_is_an_error(
    database: UpgradableDatabase, database_url: str
) -> None:
    await database.execute(NEWER)
    finding = (await found(database_url))["database.schema"]
    assert finding.level is Level.ERROR
    assert "newer Lycatra" in str(finding.fix)


async def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lycatra.db"
    path.write_bytes(b"this is a letter and no database" * 100)
    [finding] = (await found(in_file(path))).values()
    assert (finding.check, finding.level) == ("database.reachable", Level.ERROR)


async def test_a_file_that_does_not_exist_yet_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "lycatra.db"
    [finding] = (await found(in_file(path))).values()
    assert finding.level is Level.OK
    assert is_empty(tmp_path)


async def test_a_place_where_no_file_can_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    [finding] = (await found(in_file(tmp_path / "file" / "lycatra.db"))).values()
    assert finding.level is Level.ERROR
    assert "not writable" in finding.what


async def test_a_postgres_that_is_away_is_an_error_without_its_password() -> None:
    [finding] = (await found("postgresql://lycatra:hidden-word@127.0.0.1:9/x")).values()
    assert finding.level is Level.ERROR
    assert "hidden-word" not in f"{finding.what}{finding.why}{finding.fix}"
