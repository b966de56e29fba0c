"""The service as its users run it: a process of its own, with a configuration file."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import aiohttp

from lycatra_appservice.demo.child import Child
from lycatra_appservice.demo.homeserver import free_port
from lycatra_appservice.model import JSON
from tests.support.waiting import until

_READY_SECONDS = 60
_POLL_SECONDS = 0.02


class Lycatra:
    """One replica. `start` and `kill` may alternate; `async with` starts and stops it."""

    def __init__(self, folder: Path, config: Mapping[str, JSON], name: str = "lycatra") -> None:
        self.name = name
        self.port = config["appservice"]["listen"]["port"]
        self.config_path = folder / f"{name}.yaml"
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._child: Child | None = None
        self.config_path.write_text(json.dumps(config), encoding="utf-8")
        self.config_path.chmod(0o600)

    @property
    def url(self) -> str:
        """Its main listener."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def child(self) -> Child:
        """The running process."""
        assert self._child is not None, "it was not started"
        return self._child

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    def configure(self, more: Mapping[str, JSON]) -> None:
        """Give it these sections from its next start on."""
        written = json.loads(self.config_path.read_text(encoding="utf-8"))
        self.config_path.write_text(json.dumps({**written, **more}), encoding="utf-8")

    def launch(self) -> None:
        """Start the process without waiting for anything."""
        with self._log.open("ab") as output:
            self._child = Child(
                Path(sys.executable),
                "lycatra_appservice",
                ("run", "-c", str(self.config_path)),
                self._folder,
                output,
            )

    async def start(self) -> None:
        """Start it and return when it is ready."""
        self.launch()
        await self.until_ready()

    async def until_ready(self) -> None:
        """Return when /readyz says 200."""
        async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as http:
            while await self._readiness(http) != 200:
                if not self.child.is_running:
                    raise AssertionError(f"lycatra ended while starting:\n{self.log()[-3000:]}")
                await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> int | None:
        """SIGTERM, and wait; its exit code."""
        if self._child is None:
            return None
        await self._child.stop()
        return self._child.exit_code

    def kill(self) -> None:
        """SIGKILL: what a crash looks like."""
        self.child.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, SIGTERM or SIGSTOP for example, without waiting."""
        self.child.signal(number)

    def log(self) -> str:
        """All that it has written so far, to both streams."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def records(self, event: str) -> Sequence[JSON]:
        """Its log records with this event name, oldest first."""
        # The last line may be half written.
        whole = self.log().rpartition("\n")[0]
        lines = (line for line in whole.splitlines() if line.startswith("{"))
        return [record for record in map(json.loads, lines) if record["event"] == event]

    async def until_logged(self, event: str, times: int = 1) -> None:
        """Return when it has logged this so often."""

        async def logged() -> bool:
            return len(self.records(event)) >= times

        await until(logged, f"{event} in the log of {self._log.name}")

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of one of its own pages."""
        async with aiohttp.ClientSession() as http, http.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def _readiness(self, http: aiohttp.ClientSession) -> int:
        try:
            async with http.get(f"{self.url}/readyz") as answer:
                return answer.status
        except aiohttp.ClientError:
            return 0


def lycatra_config(
    *,
    homeserver_url: str,
    server_name: str,
    registration: Path,
    database_url: str,
    appservice_url: str,
    model_url: str | None = None,
    port: int | None = None,
    more: Mapping[str, JSON] | None = None,
) -> dict[str, JSON]:
    """A configuration as a person would write it, with a free port of its own."""
    config: dict[str, JSON] = {
        "homeserver": {"url": homeserver_url, "server_name": server_name},
        "appservice": {
            "url": appservice_url,
            "listen": {"host": "127.0.0.1", "port": port or free_port()},
            "registration_file": str(registration),
        },
        "database": {"url": database_url},
        "log": {"level": "DEBUG"},
        # Tests and benchmarks write faster than people.
        "budgets": {
            "person": {"turns_per_minute": "unlimited"},
            "room": {"turns_per_minute": "unlimited"},
            "answers_in_a_row": 1000,
        },
    }
    if model_url is not None:
        config["model"] = {"base_url": model_url, "model": "scripted", "api_key": "no-secret"}
    return {**config, **(more or {})}
