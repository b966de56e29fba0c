"""The demo's imaginary service as a running process, in the version that was asked for last."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from lycatra_appservice.demo.child import Child
from lycatra_appservice.demo.web import WANTED, bring

_FIRST: Final = "v1"
_POLL_SECONDS: Final = 0.05


class WebService:
    """Keeps one process of it running. Use as a context manager; it ends the process."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port

    async def __aenter__(self) -> Self:
        if not (self._folder / WANTED).exists():
            bring(self._folder, _FIRST)
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._watching.cancel()
        with suppress(asyncio.CancelledError):
            await self._watching

    async def _watch(self) -> None:
        running: str | None = None
        process: Child | None = None
        try:
            while True:
                wanted = (self._folder / WANTED).read_text(encoding="utf-8")
                if process is None or wanted != running or not process.is_running:
                    if process is not None:
                        process.kill()
                    process, running = self._started(wanted), wanted
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            if process is not None:
                process.kill()

    def _started(self, version: str) -> Child:
        module = "lycatra_appservice.demo.web"
        arguments = ("serve", str(self._port), version)
        with (self._folder / "web.log").open("ab") as log:
            return Child(Path(sys.executable), module, arguments, self._folder, log)
