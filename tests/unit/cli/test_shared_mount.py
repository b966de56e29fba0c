"""Commands refuse an SQLite file on a shared mount; in a mount namespace that pretends one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from lycatra_appservice.db.mounts import mount_of
from tests.support.config_folder import SMALLEST, write_config

pytestmark = pytest.mark.slow

# The kernel's own words, replaced for this process tree alone. `exec` keeps the process and with
# it the file that was covered.
_PRETEND = 'mount --bind "$1" "/proc/$$/mountinfo" && shift && exec "$@"'


def run_on_shared_mount(folder: Path, *words: str, **settings: str) -> tuple[int, str]:
    """Exit code and standard error of `lycatra` where everything lies on a 9p mount."""
    mountinfo = folder / "mountinfo"
    mountinfo.write_text("1 0 0:1 / / rw - 9p host rw\n")
    environ = {n: v for n, v in os.environ.items() if not n.startswith("LYCATRA_")}
    done = subprocess.run(
        [
            *_unshare(), "sh", "-c", _PRETEND, "sh", str(mountinfo),
            sys.executable, "-m", "lycatra_appservice", *words,
        ],
        cwd=folder, env={**environ, **settings},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def _unshare() -> list[str]:
    """How to get a mount namespace here; skips the test where that is not allowed."""
    program = shutil.which("unshare")
    if program is not None:
        words = [program, "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        tried = subprocess.run([*words, "true"], capture_output=True, check=False)
        if tried.returncode == 0:
            return words
    pytest.skip("no mount namespace of its own can be had here (unshare --mount)")


@pytest.fixture(autouse=True)
def config(tmp_path: Path) -> None:
    """A configuration with the default database."""
    write_config(tmp_path, SMALLEST)


@pytest.mark.parametrize("command", ["run", "check", "migrate"])
def test_a_database_on_a_shared_mount_is_refused_with_the_reason_and_the_way_out(
    tmp_path: Path, command: str
) -> None:
    code, err = run_on_shared_mount(tmp_path, command)
    assert code == 2
    [line] = err.splitlines()
    assert f"database.url: {tmp_path}/data/lycatra.db is on a 9p mount (/)" in line
    assert "named volume" in line
    assert "Postgres" in line
    assert not (tmp_path / "data").exists()


def test_who_knows_better_may_say_so(tmp_path: Path) -> None:
    code, err = run_on_shared_mount(tmp_path, "check", LYCATRA_DATABASE__ALLOW_SHARED_MOUNT="true")
    assert (code, "9p" in err) == (0, False)


def test_postgres_does_not_care(tmp_path: Path) -> None:
    code, err = run_on_shared_mount(tmp_path, "check", LYCATRA_DATABASE__URL="postgresql://u@h/d")
    assert (code, "9p" in err) == (0, False)


def test_the_kernel_of_this_computer_is_understood(tmp_path: Path) -> None:
    mountinfo = Path("/proc/self/mountinfo")
    if not mountinfo.exists():
        pytest.skip("this system has no /proc/self/mountinfo")
    assert mount_of(PurePosixPath(tmp_path.resolve()), mountinfo.read_text()) is not None
