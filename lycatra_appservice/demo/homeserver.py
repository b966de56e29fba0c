"""A real Synapse from its Python package, in a folder of its own, that never outlives us."""

import asyncio
import secrets
import signal
import socket
from pathlib import Path
from typing import Self

import aiohttp

from lycatra_appservice.demo.child import Child
from lycatra_appservice.demo.homeserver_config import (
    LOOPBACK,
    HomeserverError,
    HomeserverSecrets,
    HomeserverSettings,
    write_homeserver_config,
)

__all__ = [
    "Homeserver",
    "HomeserverError",
    "HomeserverSecrets",
    "HomeserverSettings",
    "free_port",
    "write_homeserver_config",
]

_POLL_SECONDS = 0.05
_START_SECONDS = 60  # 2 s on a quiet machine, 7 s were seen on a busy one
_TAIL_LINES = 25


def free_port() -> int:
    """A port of loopback that nobody listens on now, and that is not given out by port 0."""
    while True:
        # Below the range of every system's ephemeral ports: none is taken by a connection that
        # happens to be made between this call and the server's start.
        port = 20_000 + secrets.randbelow(12_000)
        if _why_not_free(port) is None:
            return port


class Homeserver:
    """One Synapse process; `async with` starts it and waits until it answers, then stops it.

    Not bound to an event loop: a fixture may start it in one loop and tests use it in another.
    """

    def __init__(self, settings: HomeserverSettings) -> None:
        self.settings = settings
        self._secrets: HomeserverSecrets | None = None
        self._child: Child | None = None
        self._log_start = 0

    @property
    def url(self) -> str:
        """Where clients and the application service reach it; no trailing slash."""
        return self.settings.url

    @property
    def server_name(self) -> str:
        """The part of its people's ids behind the colon."""
        return self.settings.server_name

    @property
    def registration_shared_secret(self) -> str:
        """What makes people without asking anybody; known after the first start."""
        if self._secrets is None:
            raise HomeserverError("The homeserver has not been started yet.")
        return self._secrets.registration_shared_secret

    @property
    def pid(self) -> int | None:
        """The process, for tests that look at it; None when it does not run."""
        return self._child.pid if self._child is not None and self._child.is_running else None

    @property
    def is_running(self) -> bool:
        """Whether the process lives; it may not answer yet."""
        return self.pid is not None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Write the configuration, start, and return when it answers; nothing if it runs.

        Raises HomeserverError, with the end of its log, when it dies or does not answer in time.
        """
        if self.is_running:
            return
        _check_port_is_free(self.settings.port)
        self._secrets = write_homeserver_config(self.settings)
        self._child = self._spawn()
        try:
            await self._until_healthy()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ask it to go, wait, and kill it if it does not; harmless when it does not run."""
        if self._child is not None:
            await self._child.stop()
            self._child = None

    async def kill(self) -> None:
        """SIGKILL: what a crash looks like. Returns when the process is gone."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    async def restart(self) -> None:
        """Stop it, if it runs, and start it again on the same folder and port."""
        await self.stop()
        await self.start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, SIGSTOP for example."""
        if self._child is not None:
            self._child.signal(number)

    def log_tail(self) -> str:
        """The last lines that this start has written: its output, or else its log."""
        return _last_lines(self._output_path, 0) or _last_lines(self._log_path, self._log_start)

    @property
    def _output_path(self) -> Path:
        return self.settings.folder / "homeserver.out"

    @property
    def _log_path(self) -> Path:
        return self.settings.folder / "homeserver.log"

    def _spawn(self) -> Child:
        self._log_start = self._log_path.stat().st_size if self._log_path.exists() else 0
        python = self.settings.python.absolute()
        config = self.settings.folder.absolute() / "homeserver.yaml"
        arguments = ("-c", str(config))
        folder = self.settings.folder
        try:
            with self._output_path.open("wb") as output:
                return Child(python, "synapse.app.homeserver", arguments, folder, output)
        except OSError as error:
            raise HomeserverError(
                f"Could not run {python} to start Synapse: {error.strerror}."
            ) from error

    async def _until_healthy(self) -> None:
        patience = aiohttp.ClientTimeout(total=2)
        try:
            async with (
                asyncio.timeout(_START_SECONDS),
                aiohttp.ClientSession(timeout=patience) as http,
            ):
                while not await self._is_healthy(http):
                    self._check_alive()
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise self._failure(f"did not answer within {_START_SECONDS} s") from error

    async def _is_healthy(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(self.url + "/health") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _check_alive(self) -> None:
        if not self.is_running:
            raise self._failure("ended while starting")

    def _failure(self, what: str) -> HomeserverError:
        tail = self.log_tail() or "(it wrote nothing)"
        return HomeserverError(f"Synapse on port {self.settings.port} {what}:\n{tail}")


def _check_port_is_free(port: int) -> None:
    """Whoever listens there would be taken for our Synapse, whose own failure comes later."""
    if problem := _why_not_free(port):
        raise HomeserverError(
            f"Synapse cannot listen on {LOOPBACK}:{port}: {problem}. "
            "Is another demo running, or is the port somebody else's?"
        )


def _why_not_free(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Synapse itself does
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def _last_lines(path: Path, start: int) -> str:
    """The end of what stands behind byte `start`; of the whole file if it has become shorter."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(start if start <= path.stat().st_size else 0)
        text = file.read().decode(errors="replace").strip()
    return "\n".join(text.splitlines()[-_TAIL_LINES:])
