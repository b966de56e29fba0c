import subprocess
import sys
from pathlib import Path

import pytest

from lycatra_appservice.cli import main


def test_without_its_extra_the_encrypted_demo_says_what_to_install_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "olm", None)
    folder = tmp_path / "data"

    code = main(["demo", "--encrypted", "--folder", str(folder)])

    assert code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "pip install 'lycatra-appservice[e2ee]'" in line
    assert not folder.exists()


def test_the_plain_demo_imports_nothing_that_encrypts() -> None:
    program = (
        "import sys; sys.modules['olm'] = sys.modules['mautrix.crypto'] = None; "
        "import lycatra_appservice.demo.command"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
