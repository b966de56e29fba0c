"""A Python program of ours in a process of its own, that ends when we end, by whatever death."""

import asyncio
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.05
_STOP_SECONDS = 10

# Runs in the program's own process, so that there is one process and its id is the program's. Its
# standard input is a pipe that only we hold: it closes when we end, and the program goes too.
# (PR_SET_PDEATHSIG would be Linux only, and follows the thread that forked, not the process.)
_LAUNCHER = """
import os, runpy, signal, sys, threading, time
def end_with_parent():
    while os.read(0, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
    os._exit(1)
threading.Thread(target=end_with_parent, daemon=True).start()
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


class Child:
    """One start of one module, `python -m module arguments`; cannot be started twice.

    Not bound to an event loop: a fixture may start it in one loop and tests use it in another.
    """

    def __init__(
        self,
        python: Path,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        output: IO[bytes],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it in `folder`; `output` may be closed afterwards. OSError when it cannot be."""
        # Not asyncio's subprocess: that one belongs to the loop that started it.
        self._process = subprocess.Popen(
            [str(python), "-c", _LAUNCHER, module, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in a terminal is ours to handle
        )

    @property
    def pid(self) -> int:
        """The program's own process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, SIGSTOP for example; harmless when it has ended."""
        self._process.send_signal(number)

    async def wait(self) -> int:
        """Its exit code, when it has ended by itself."""
        while True:
            code = self._process.poll()
            if code is not None:
                return code
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when it has not gone after ten seconds or we are cancelled."""
        self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self.wait()
        except TimeoutError:
            pass  # the kill below is the answer
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: what a crash looks like. Returns when the process is gone."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
