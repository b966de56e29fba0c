"""Somebody who sets Lycatra up beside a Synapse that has never heard of it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from lycatra_appservice.demo.homeserver import Homeserver, free_port
from lycatra_appservice.model import JSON
from tests.support.synapse import SERVER_NAME, synapse_settings
from tests.support.waiting import until

_REPOSITORY = Path(__file__).resolve().parents[2]
_END_SECONDS = 60


def _as_in_a_terminal() -> None:
    """Heed Ctrl-C, which whatever was started in the background has inherited to ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Typed:
    """A command that runs; `said` is what both of its outputs have shown so far."""

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        more: Mapping[str, str] | None = None,
        *,
        in_terminal: bool = False,
    ) -> None:
        self._words = words
        self._folder = folder
        self._more = more or {}
        self._in_terminal = in_terminal
        self._keyboard: int | None = None
        self._output = bytearray()
        self._reading: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def said(self) -> str:
        return self._output.decode(errors="replace")

    async def __aenter__(self) -> Self:
        clean = {name: value for name, value in os.environ.items() if "LYCATRA_" not in name}
        ours, theirs = os.openpty() if self._in_terminal else (None, None)
        self._keyboard = ours
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "lycatra_appservice", *self._words),
            cwd=self._folder,
            env={**clean, "PYTHONPATH": str(_REPOSITORY), **self._more},
            stdin=asyncio.subprocess.DEVNULL if theirs is None else theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=_as_in_a_terminal,
        )
        if theirs is not None:
            os.close(theirs)
        self._reading = asyncio.create_task(self._read(self._process))
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._reading is not None:
            await self._reading
        if self._keyboard is not None:
            os.close(self._keyboard)

    async def answer(self, question: str, typed: str) -> None:
        """Wait for a question, and type a line."""
        await self.until_said(question)
        assert self._keyboard is not None
        os.write(self._keyboard, f"{typed}\n".encode())

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)

    async def until_said(self, text: str) -> None:
        """Wait for words in its output."""

        async def seen() -> bool:
            return text in self.said

        try:
            await until(seen, f"{text!r} in {self._words[0]}'s output")
        except AssertionError as never:
            raise AssertionError(f"{never}; it said:\n{self.said[-3000:]}") from None

    async def ended(self) -> int:
        """Wait for its end; its exit code."""
        assert self._process is not None
        assert self._reading is not None
        async with asyncio.timeout(_END_SECONDS):
            await self._reading
            return await self._process.wait()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while data := await process.stdout.read(4096):
            self._output += data
        await process.wait()


@dataclass(slots=True)
class Newcomer:
    """A folder to type commands in, beside a running homeserver that can be told and restarted."""

    homeserver: Homeserver
    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def registration(self) -> Path:
        """Where `init` writes it."""
        return self.folder / "registration" / "lycatra.yaml"

    def types(self, *words: str, env: Mapping[str, str] | None = None) -> Typed:
        """Start a command."""
        return Typed(words, self.folder, env)

    def types_in_terminal(self, *words: str) -> Typed:
        """Start a command that can ask."""
        return Typed(words, self.folder, in_terminal=True)

    def types_init(self, *words: str, admin: str = "alice") -> Typed:
        """Start `lycatra init` with the answers that fit this homeserver."""
        return self.types(
            *("init", "--yes", "--admin", f"@{admin}:{SERVER_NAME}", "--no-model"),
            *("--homeserver", self.homeserver.url, "--port", str(self.port)),
            *("--synapse", "here", *words),
        )

    async def run(self, *words: str) -> tuple[int, str]:
        """Type a command and wait for its end; exit code and output."""
        async with self.types(*words) as typed:
            return await typed.ended(), typed.said

    async def restart_synapse(self, *registrations: Path) -> None:
        """What the instructions say: name the files in homeserver.yaml, and restart."""
        await self.homeserver.stop()
        settings = replace(self.homeserver.settings, registrations=registrations)
        self.homeserver = Homeserver(settings)
        await self.homeserver.start()


@asynccontextmanager
async def newcomer(
    folder: Path, *, python: Path | None = None, overrides: Mapping[str, JSON] | None = None
) -> AsyncIterator[Newcomer]:
    """A homeserver of its own without any registration, and an empty folder beside it."""
    settings = synapse_settings(folder / "synapse", overrides=overrides)
    if python is not None:
        settings = replace(settings, python=python)
    beside = folder / "lycatra"
    beside.mkdir()
    who = Newcomer(Homeserver(settings), beside)
    await who.homeserver.start()
    try:
        yield who
    finally:
        await who.homeserver.stop()
