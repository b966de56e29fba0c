"""Gates at which programs, and whoever asks for a service's health, wait while a test says so."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.waiting import until

# Runs a program between two gates: at each it says that it has come, and waits while it is held.
# What nobody lets go ends after some minutes, should the test be gone.
_GATED = """
import os, pathlib, subprocess, sys, time
folder, before, after, *program = sys.argv[1:]
def gate(name):
    came, held = [pathlib.Path(folder, f"{word}-{name}") for word in ("came", "hold")]
    with came.open("a") as lines:
        print(os.getpid(), os.getppid(), file=lines)
    number, patience = len(came.read_text().splitlines()), time.monotonic() + 300
    while is_held(held, number):
        if pathlib.Path(folder, "over").exists() or time.monotonic() > patience:
            sys.exit("nobody lets it go")
        time.sleep(0.02)
def is_held(held, number):
    try:
        first, last = map(int, held.read_text().split())
    except OSError:
        return False
    return first <= number <= last
gate(before)
ended = subprocess.run(program).returncode
if ended == 0:
    gate(after)
sys.exit(ended)
"""
_EVERYBODY = 1_000_000


class Gates:
    """Those of programs, by their names, in a folder; open until they are held."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def around(self, before: str, after: str, program: Sequence[str]) -> Sequence[str]:
        """The arguments of a program that waits at two gates."""
        return [sys.executable, "-c", _GATED, str(self._folder), before, after, *program]

    def hold(self, name: str, *, first: int = 1, last: int = _EVERYBODY) -> None:
        """Let those wait at this gate who come as this one up to that one, counted from 1."""
        new = self._folder / f"new-{name}"
        new.write_text(f"{first} {last}")
        new.rename(self._folder / f"hold-{name}")

    def let_go(self, name: str) -> None:
        """Open a gate again."""
        (self._folder / f"hold-{name}").unlink()

    def visits(self, name: str) -> Sequence[tuple[int, int]]:
        """Who came to a gate: the ids of the process and of the one that had started it."""
        came = self._folder / f"came-{name}"
        # The last line may be half written.
        lines = came.read_text().rpartition("\n")[0].splitlines() if came.exists() else []
        return [(int(pid), int(parent)) for pid, parent in map(str.split, lines)]

    async def reached(self, name: str, times: int = 1) -> int:
        """Return when a gate was reached so often; the process that stands there."""

        async def came() -> bool:
            return len(self.visits(name)) >= times

        await until(came, f"somebody at the gate {name}")
        return self.visits(name)[times - 1][0]

    def close_down(self) -> None:
        """End whoever waits still."""
        (self._folder / "over").touch()


class HealthGate:
    """Stands before a service's health check; open until it is held."""

    def __init__(self, behind: str) -> None:
        self._behind = behind
        self._is_held = False
        self._waiting: list[asyncio.Future[None]] = []
        self._came = asyncio.Condition()
        app = web.Application()
        app.router.add_get("/", self._asked)
        self.server = TestServer(app, host="127.0.0.1")

    @property
    def url(self) -> str:
        """Where it is asked."""
        return str(self.server.make_url("/"))

    def hold(self) -> None:
        """Let all wait who ask from now on."""
        self._is_held = True

    async def reached(self) -> None:
        """Return when somebody waits."""
        async with asyncio.timeout(45), self._came:
            await self._came.wait_for(lambda: bool(self._waiting))

    def let_in(self) -> None:
        """Answer those who wait; who asks after them waits."""
        for each in self._waiting:
            if not each.done():  # who has asked is gone
                each.set_result(None)
        self._waiting.clear()

    def let_go(self) -> None:
        """Answer everybody again."""
        self._is_held = False
        self.let_in()

    async def _asked(self, _: web.Request) -> web.Response:
        if self._is_held:
            let_in = asyncio.get_running_loop().create_future()
            async with self._came:
                self._waiting.append(let_in)
                self._came.notify_all()
            await let_in
        try:
            async with aiohttp.ClientSession() as http, http.get(self._behind) as answer:
                return web.Response(status=answer.status, text=await answer.text())
        except aiohttp.ClientError:
            return web.Response(status=502)


@asynccontextmanager
async def health_gate(behind: str) -> AsyncIterator[HealthGate]:
    """One before this address."""
    gate = HealthGate(behind)
    await gate.server.start_server()
    try:
        yield gate
    finally:
        gate.let_go()
        await gate.server.close()


def end(program: int) -> None:
    """End a program, if it has not ended."""
    with suppress(ProcessLookupError):
        os.kill(program, signal.SIGKILL)


def is_alive(program: int) -> bool:
    """Whether a process lives."""
    try:
        os.kill(program, 0)
    except ProcessLookupError:
        return False
    return True
