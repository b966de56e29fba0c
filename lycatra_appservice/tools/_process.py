"""Runs a program by its argument list, never through a shell, with an end to time and output."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lycatra_appservice.tools._pauses import growing_pauses

_CHUNK_BYTES = 65_536
_LAST_WORDS = timedelta(seconds=1)  # for the pipes of a killed process to close


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a program left: its exit code, and the beginning of what it wrote."""

    exit_code: int
    output: bytes
    errors: bytes


def minimal_environment() -> dict[str, str]:
    """Just what programs need to be found and to speak plainly: our own secrets stay with us."""
    kept = ("PATH", "SYSTEMROOT")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return {**found, "LC_ALL": "C.UTF-8"}


async def run_program(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    at_most: timedelta,
    max_bytes: int,
) -> Finished:
    """Run to the end; what is written beyond `max_bytes` is thrown away.

    Raises OSError when the program cannot be started, TimeoutError when it takes too long. Then,
    and on cancellation, it is killed together with everything it started.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=folder,
        env=dict(environment),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,  # a process group of its own, so that children can be ended too
    )
    reading = asyncio.gather(
        _beginning_of(process.stdout, max_bytes), _beginning_of(process.stderr, max_bytes)
    )
    exit_code: int | None = None
    try:
        async with asyncio.timeout(at_most.total_seconds()):
            output, errors = await asyncio.shield(reading)
            exit_code = await process.wait()
    finally:
        if exit_code is None:
            await _end(process, reading)
    return Finished(exit_code=exit_code, output=output, errors=errors)


async def run_outliving(
    argv: Sequence[str], *, folder: Path, environment: Mapping[str, str], at_most: timedelta
) -> int:
    """Run a program that goes on even when this process ends meanwhile; gives its exit code.

    So nothing of what it writes can be read. Raises OSError when it cannot be started,
    TimeoutError when it takes too long: then it still goes on.
    """
    program = await asyncio.to_thread(_started_alone, argv, folder, environment)
    try:
        async with asyncio.timeout(at_most.total_seconds()):
            for pause in growing_pauses():
                exit_code = program.poll()
                if exit_code is not None:
                    return exit_code
                await asyncio.sleep(pause)
        raise AssertionError("the pauses have no end")
    finally:
        if program.returncode is None:
            # Somebody has to take note of its end, or it stays in the list of processes.
            threading.Thread(target=program.wait, daemon=True).start()


def _started_alone(
    argv: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    # asyncio's own processes are killed with the loop that has started them.
    return subprocess.Popen(  # noqa: S603 (an argument list, and no shell)
        list(argv),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


async def _beginning_of(stream: asyncio.StreamReader | None, max_bytes: int) -> bytes:
    kept = bytearray()
    while stream is not None and (chunk := await stream.read(_CHUNK_BYTES)):
        kept += chunk[: max_bytes - len(kept)]
    return bytes(kept)


async def _end(process: Process, reading: "asyncio.Future[tuple[bytes, bytes]]") -> None:
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by itself just now
    await asyncio.wait([reading], timeout=_LAST_WORDS.total_seconds())
    reading.cancel()
    await process.wait()
