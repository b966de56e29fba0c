"""A small service `web`, and how it is deployed by swapping its process."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support import swapping
from tests.unit.tools.updates.deploying import SWIFT

PROGRAM = [sys.executable, swapping.__file__]


def swap(folder: Path, version: str) -> None:
    """As somebody does by hand."""
    subprocess.run([*PROGRAM, "swap", str(folder), version], check=True)


def command(shop: Path, **settings: Any) -> dict[str, Any]:
    """How `web` is deployed: swapped, asked by HTTP."""
    port = (shop / "port").read_text()
    return {
        "service": "web",
        "kind": "command",
        "apply": [*PROGRAM, "swap", str(shop), "{version}"],
        "current": [*PROGRAM, "current", str(shop)],
        "health": {
            "kind": "http",
            "url": f"http://127.0.0.1:{port}/",
            "expect_text": "I am {version}.",
        },
        **SWIFT,
        **settings,
    }


def running(shop: Path) -> str:
    return (shop / "running").read_text()


def log(shop: Path) -> list[str]:
    path = shop / "log"
    return path.read_text().splitlines() if path.exists() else []
