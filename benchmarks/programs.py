"""Programs that are measured: waiting for them, and how much memory they hold."""

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final, Protocol

from benchmarks.measuring import CannotMeasureError

_START_SECONDS: Final = 60
_LOOK_AGAIN_SECONDS: Final = 0.002
_TAIL: Final = 2000


class Program(Protocol):
    """A process that was started."""

    @property
    def is_running(self) -> bool:
        """Whether it lives."""


async def is_listening(port: int, program: Program) -> bool:
    """Wait until somebody accepts connections on loopback; False when the program has ended."""
    async with asyncio.timeout(_START_SECONDS):
        while not _accepts(port):
            if not program.is_running:
                return False
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return True


def tail_of(log: Path) -> str:
    """The end of what a program wrote."""
    return log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]


def resident_mb(pid: int) -> float:
    """The memory that a process holds now, in MiB, as the system counts it."""
    ps = shutil.which("ps")
    if ps is None:
        raise CannotMeasureError("there is no program `ps` to ask for the memory of a process")
    command = [ps, "-o", "rss=", "-p", str(pid)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(answer.stdout) / 1024


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
