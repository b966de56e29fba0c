"""`make demo SCRIPT=examples/releases.txt`: announced, approved, and rolled back where broken."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lycatra_appservice.demo.web import WANTED
from tests.support.synapse import synapse_python

_SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "releases.txt"


@pytest.mark.slow
def test_a_release_is_announced_approved_and_rolled_out_and_a_broken_one_rolled_back() -> None:
    with TemporaryDirectory(prefix="lycatra-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "data"
        command = [sys.executable, "-m", "lycatra_appservice", "demo", "--folder", str(folder)]
        command += ["--synapse-python", str(synapse_python()), "--script", str(_SCRIPT)]
        environment = {**os.environ, "LYCATRA_DEMO_MODEL": "offline"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        wanted = (folder / WANTED).read_text(encoding="utf-8")

    assert done.returncode == 0, done.stdout + done.stderr
    in_order = [
        "release: web v2",
        "web v2 is out",
        "approver: ✅",
        "`web` runs v2, before v1",
        "release: web v3",
        "web v3 is out",
        "approver: ✅",
        "`web` was rolled back to v2",
        "you: !list deployments",
        "State: ↩️ rolled back",
        "State: ✅ kept",
    ]
    rest = done.stdout
    for words in in_order:
        assert words in rest, (words, done.stdout)
        rest = rest.partition(words)[2]
    assert done.stdout.count("Approved by: @approver:demo.localhost") == 2
    assert wanted == "v2"
