"""Tools of one's own in the configuration: what is wrong with them never stops the service."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.config_folder import SMALLEST, write_config
from tests.support.own_tools import namespace, pots, tool
from tests.unit.cli.conftest import Lycatra

WITH_POTS = SMALLEST + "own_tools: {paths: [own]}\n"
SETTINGS = """
from lycatra_appservice.toolkit.base import Namespace, ToolSettings
{before}

class Settings(ToolSettings):
    size: int
    {more}

NAMESPACE = Namespace(
    name="pots", display_name="Lycatra Pots", summary="Pots.", settings=Settings
)
"""


def settings(before: str = "", more: str = "") -> dict[str, str]:
    return {"pots/__init__.py": SETTINGS.format(before=before, more=more)}


def told(lycatra: Lycatra) -> list[str]:
    """What `check` says about tools; the configuration itself is right."""
    outcome = lycatra("check")
    assert outcome.code == 0, outcome.err
    lines = [line.removeprefix("warning: ") for line in outcome.err.splitlines()]
    return [line for line in lines if not line.startswith(("access.", "there is no model"))]


def test_a_configured_folder_is_relative_to_the_configuration(
    lycatra: Lycatra, folder: Path
) -> None:
    pots(folder / "own")
    write_config(folder, WITH_POTS)

    assert told(lycatra) == []
    assert "pots, services, updates" in lycatra("check").out


def test_the_environment_names_folders_too(
    lycatra: Lycatra, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pots(folder / "own")
    write_config(folder, SMALLEST)
    monkeypatch.setenv("LYCATRA_OWN_TOOLS__PATHS", f"own,{folder}/other")

    [line] = told(lycatra)

    assert line == f"a folder of tools is disabled: {folder}/other: there is no such folder"
    assert "pots" in lycatra("check").out


def test_a_broken_file_is_a_warning_of_check_and_of_doctor(lycatra: Lycatra, folder: Path) -> None:
    pots(folder / "own", {"pots/stir_pot.py": "1 / 0"})
    write_config(folder, WITH_POTS)
    reason = "line 1: ZeroDivisionError: division by zero"

    [line] = told(lycatra)
    doctor = lycatra("doctor", "--offline").out

    file = folder / "own" / "pots" / "stir_pot.py"
    assert line == f"pots/stir_pot is disabled: {file}: {reason}"
    assert f"warning    tools: pots/stir_pot is disabled: {reason}" in doctor
    assert f"do:  {file};" in doctor


def test_a_missing_setting_disables_the_namespace_alone(lycatra: Lycatra, folder: Path) -> None:
    pots(folder / "own", settings())
    write_config(folder, WITH_POTS)

    [line] = told(lycatra)

    assert line.startswith("all of pots is disabled: the configuration: ")
    assert "tools.pots.size: is missing" in line
    assert "pots" not in lycatra("check").out


def test_a_settings_class_that_fails_disables_the_namespace_alone(
    lycatra: Lycatra, folder: Path
) -> None:
    more = """
    @field_validator("size", mode="before")
    @classmethod
    def _check(cls, value):
        return value.no_such_method()
"""
    pots(folder / "own", settings("from pydantic import field_validator", more))
    write_config(folder, WITH_POTS + "tools: {pots: {size: 3}}\n")

    [line] = told(lycatra)

    assert "tools.pots: could not be checked: line" in line
    assert "AttributeError: 'int' object has no attribute 'no_such_method'" in line


def test_a_setting_that_fits_reaches_the_namespace(lycatra: Lycatra, folder: Path) -> None:
    pots(folder / "own", settings())
    write_config(folder, WITH_POTS + "tools: {pots: {size: 3}}\n")

    assert told(lycatra) == []


def test_the_section_of_a_broken_namespace_is_no_mistake(lycatra: Lycatra, folder: Path) -> None:
    pots(folder / "own", {"pots/__init__.py": "1 / 0"})
    write_config(folder, WITH_POTS + "tools: {pots: {size: 3}}\n")

    [line] = told(lycatra)

    assert line.startswith("all of pots is disabled: ")


def test_with_a_folder_out_of_reach_an_unknown_section_is_only_a_warning(
    lycatra: Lycatra, folder: Path
) -> None:
    write_config(folder, WITH_POTS + "tools: {pots: {size: 3}}\n")

    section, missing = told(lycatra)

    assert "tools.pots: is no namespace of tools" in section
    assert missing == f"a folder of tools is disabled: {folder}/own: there is no such folder"


RULE = "permissions: [{tools: [NAME], level: operator}]\n"


@pytest.mark.parametrize("name", ["pots", "list_pots", "stir_pot"])
def test_a_rule_may_name_what_works_and_what_is_broken(
    lycatra: Lycatra, folder: Path, name: str
) -> None:
    pots(folder / "own", {"pots/stir_pot.py": "1 / 0"})
    write_config(folder, WITH_POTS + RULE.replace("NAME", name))

    [line] = told(lycatra)

    assert line.startswith("pots/stir_pot is disabled: ")


def test_a_rule_for_a_tool_of_a_broken_namespace_is_only_a_warning(
    lycatra: Lycatra, folder: Path
) -> None:
    pots(folder / "own", {"pots/__init__.py": "1 / 0"})
    write_config(folder, WITH_POTS + RULE.replace("NAME", "list_pots"))

    rule, broken = told(lycatra)

    assert "permissions.0.tools: 'list_pots' is neither a tool nor a namespace" in rule
    assert broken.startswith("all of pots is disabled: ")


def test_who_writes_the_folders_where_settings_of_tools_belong_is_told_where_they_do(
    lycatra: Lycatra, folder: Path
) -> None:
    write_config(folder, SMALLEST + "tools: {paths: [own]}\n")

    outcome = lycatra("check")

    assert outcome.code == 2
    assert "folders of your own tools stand under own_tools.paths" in outcome.err


def test_one_that_is_hidden_behind_another_is_told(lycatra: Lycatra, folder: Path) -> None:
    pots(folder / "own", {"pans/__init__.py": namespace("pans"), "pans/a_pot.py": tool("a_pot")})
    write_config(folder, SMALLEST + "own_tools: {paths: [own, own]}\n")

    assert len(told(lycatra)) == 2


def test_databases_of_tools_are_looked_at_by_check_and_doctor(
    lycatra: Lycatra, folder: Path
) -> None:
    (folder / "broken.db").write_text("no database, but long enough to be looked at" * 100)
    with closing(sqlite3.connect(folder / "crm.db")) as crm, crm:
        crm.execute("CREATE TABLE person (name text)")
    databases = "{crm: {url: 'sqlite:///crm.db'}, broken: {url: 'sqlite:///broken.db'}}"
    write_config(folder, SMALLEST + f"databases: {databases}\n")

    assert told(lycatra) == []
    doctor = lycatra("doctor", "--offline").out
    assert "ok         databases.crm: it answers" in doctor
    assert "warning    databases.broken: The database `broken` does not answer" in doctor

    write_config(folder, SMALLEST + "databases: {crm: {url: 'sqlite:///gone.db'}}\n")
    assert told(lycatra) == [f"databases.crm: {folder}/gone.db does not exist"]


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{CRM: {url: 'sqlite:///crm.db'}}", "should be a name of a-z"),
        ("{url: 'sqlite:///crm.db'}", "databases.url"),
        ("{crm: {url: 'mysql://crm'}}", "databases.crm.url: should begin with postgresql://"),
        ("{crm: {}}", "databases.crm.url: is missing"),
        ("{crm: {url: 'sqlite:///crm.db', max_rows: 0}}", "databases.crm.max_rows"),
    ],
)
def test_a_database_that_is_written_wrongly_is_a_mistake(
    lycatra: Lycatra, folder: Path, written: str, sentence: str
) -> None:
    write_config(folder, SMALLEST + f"databases: {written}\n")

    outcome = lycatra("check")

    assert outcome.code == 2
    assert sentence in outcome.err


def test_a_database_comes_from_the_environment_and_its_password_from_a_file(
    lycatra: Lycatra, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "crm-url").write_text(f"sqlite:///{folder}/gone.db")
    write_config(folder, SMALLEST)
    monkeypatch.setenv("LYCATRA_DATABASES__CRM__URL_FILE", "crm-url")
    monkeypatch.setenv("LYCATRA_DATABASES__CRM__MAX_ROWS", "5")

    assert told(lycatra) == [f"databases.crm: {folder}/gone.db does not exist"]
