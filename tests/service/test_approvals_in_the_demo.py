"""`make demo SCRIPT=examples/approvals.txt`: what is denied does not happen, the other once."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lycatra_appservice.demo.ground import RESTARTS
from tests.support.synapse import synapse_python

_SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "approvals.txt"


@pytest.mark.slow
def test_the_approver_decides_by_real_reactions() -> None:
    with TemporaryDirectory(prefix="lycatra-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "data"
        command = [sys.executable, "-m", "lycatra_appservice", "demo", "--folder", str(folder)]
        command += ["--synapse-python", str(synapse_python()), "--script", str(_SCRIPT)]
        environment = {**os.environ, "LYCATRA_DEMO_MODEL": "offline"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        restarts = (folder / RESTARTS).read_text(encoding="utf-8").splitlines()

    assert done.returncode == 0, done.stdout + done.stderr
    speakers = [
        line.partition(":")[0]
        for line in done.stdout.splitlines()
        if line and not line.startswith(" ")
    ]
    asked = ["you", "lycatra_services", "approver", "lycatra_services"]
    assert speakers == ["lycatra", *asked, *asked, "you", "lycatra"]
    assert "denied this, so nothing was done" in done.stdout
    assert "was restarted" in done.stdout
    assert len(restarts) == 1
    story = [line.partition("`: ")[2] for line in done.stdout.splitlines() if "_service s" in line]
    assert story[:3] == [
        "asked for an approval",
        "approved by `@approver:demo.localhost`",
        "started",
    ]
    assert story[3].startswith("done in ")
