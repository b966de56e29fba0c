"""A working folder of its own, and `lycatra` as a function that says what a shell would see."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from lycatra_appservice.cli import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left: its exit code and both outputs."""

    code: int
    out: str
    err: str


Lycatra: TypeAlias = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the command, without anybody's LYCATRA_ variables."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LYCATRA_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def lycatra(folder: Path, capsys: pytest.CaptureFixture[str]) -> Lycatra:
    """Run `lycatra` with these words, in its own folder."""

    def run(*words: str) -> Outcome:
        try:
            code = main(words)
        except SystemExit as exit_:  # argparse leaves in this way
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, captured.err)

    return run
