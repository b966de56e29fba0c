"""The frame of the command line: exit codes, sentences, where the configuration is."""

import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from lycatra_appservice import __version__
from lycatra_appservice.cli import main, run_command
from lycatra_appservice.errors import SettingsError, StoreUnavailableError
from tests.support.config_folder import SMALLEST, write_config
from tests.unit.cli.conftest import Lycatra

_COMMANDS = (
    *("init", "run", "check", "doctor", "registration", "migrate", "health", "demo"),
    *("uninstall", "tool", "audit"),
)


def _raiser(error: BaseException) -> Callable[[Namespace], int]:
    def run(arguments: Namespace) -> int:
        raise error

    return run


def test_the_version_is_told(lycatra: Lycatra) -> None:
    outcome = lycatra("--version")
    assert (outcome.code, outcome.out) == (0, f"lycatra {__version__}\n")


def test_without_a_command_the_usage_is_shown(lycatra: Lycatra) -> None:
    outcome = lycatra()
    assert outcome.code == 2
    assert "COMMAND" in outcome.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SettingsError(["a: one", "b: two"]), 2, "lycatra: a: one\nlycatra: b: two\n"),
        (StoreUnavailableError("cannot open x.db"), 1, "lycatra: cannot open x.db\n"),
        (StoreUnavailableError(), 1, f"lycatra: {StoreUnavailableError().user_message}\n"),
        (PermissionError(13, "Permission denied", "x"), 1, "lycatra: x: Permission denied\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_goes_wrong_becomes_a_code_and_a_sentence(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(_raiser(error), Namespace()) == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", said)


def test_without_any_configuration_the_person_reads_where_to_begin(lycatra: Lycatra) -> None:
    outcome = lycatra("check")
    assert outcome.code == 2
    assert "copy example-config.yaml" in outcome.err


def test_the_configuration_is_named_by_option_then_variable_then_folder(
    lycatra: Lycatra, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("option", "variable", "folder"):
        (folder / name).mkdir()
        write_config(folder / name, SMALLEST + f"bot: {{localpart: by-{name}}}\n")
    (folder / "folder" / "config.yaml").rename(folder / "config.yaml")
    assert "@by-folder:" in lycatra("check").out
    monkeypatch.setenv("LYCATRA_CONFIG", "variable/config.yaml")
    assert "@by-variable:" in lycatra("check").out
    assert "@by-option:" in lycatra("check", "-c", "option/config.yaml").out


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_has_help(lycatra: Lycatra, command: str) -> None:
    outcome = lycatra(command, "--help")
    assert outcome.code == 0
    assert f"usage: lycatra {command}" in outcome.out


def test_the_package_runs_as_a_module(folder: Path) -> None:
    repository = Path(__file__).parents[3]
    answer = subprocess.run(
        [sys.executable, "-m", "lycatra_appservice", "check"],
        cwd=folder,
        env={"PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert "copy example-config.yaml" in answer.stderr
    assert main(["check"]) == 2
