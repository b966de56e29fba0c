"""`make demo` from nothing: four questions, four right answers, nothing left behind."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.synapse import synapse_python

_SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "first-questions.txt"


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[subprocess.CompletedProcess[str], Path]]:
    """The demo, played once with the example script and the stand-in for a model."""
    with TemporaryDirectory(prefix="lycatra-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "data"
        command = [sys.executable, "-m", "lycatra_appservice", "demo", "--folder", str(folder)]
        command += ["--synapse-python", str(synapse_python()), "--script", str(_SCRIPT)]
        environment = {**os.environ, "LYCATRA_DEMO_MODEL": "offline"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        yield done, folder


def test_every_line_of_the_script_is_answered_by_the_right_user(
    played: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, _ = played
    assert done.returncode == 0, done.stdout + done.stderr
    speakers = [
        line.partition(":")[0]
        for line in done.stdout.splitlines()
        if line and not line.startswith(" ")
    ]
    assert speakers == [
        "lycatra",  # the greeting
        "you",
        "lycatra_services",
        "you",
        "lycatra_updates",
        "you",
        "lycatra",
        "you",
        "lycatra_updates",
    ]


def test_the_free_question_is_answered_from_what_the_tool_found(
    played: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, _ = played
    answer = done.stdout.rpartition("\nlycatra: ")[2].partition("\nyou: ")[0]
    assert "shop 2.3.0" in answer
    assert "user 2.3.0" in answer
    assert "shop 2.2.0" not in answer  # older than this week


def test_no_process_is_left_behind(
    played: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    _, folder = played
    for port in json.loads((folder / "ports.json").read_text(encoding="utf-8")).values():
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"something listens on {port}"


def test_it_prints_an_address_and_a_login_for_any_client(
    played: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, folder = played
    port = json.loads((folder / "ports.json").read_text(encoding="utf-8"))["homeserver"]
    assert f"homeserver http://127.0.0.1:{port}, user you, password demo" in done.stderr
