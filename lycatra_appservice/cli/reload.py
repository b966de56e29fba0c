"""`lycatra run --reload`: starts the service anew whenever a tool or the configuration changes.

For development: it looks at the files' times, which every file system has, and restarts the whole
process, so that nothing of the old code is left. Nobody is answered meanwhile; nothing is lost.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from lycatra_appservice.demo.child import Child

Stamps: TypeAlias = Mapping[Path, tuple[int, int]]

_LOOK_SECONDS: Final = 0.5
_MOST_FILES: Final = 5000  # somebody named a home folder; looking on would never end
_WATCHED: Final = frozenset({".py", ".toml", ".yaml", ".yml", ".json", ".sql", ".txt"})


def run_reloading(config: Path | None, find_folders: Callable[[], Sequence[Path]]) -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit code.

    `find_folders` is asked at each start: the configuration may name others by then.
    """
    return asyncio.run(_Reloading(config, find_folders).run())


class _Reloading:
    """A process that runs another one, and never two at once."""

    def __init__(self, config: Path | None, find_folders: Callable[[], Sequence[Path]]) -> None:
        self._config = config
        self._find_folders = find_folders
        self._watched: Sequence[Path] = ()
        self._stopping = asyncio.Event()
        self._child: Child | None = None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        while not self._stopping.is_set():
            self._watched = [*self._find_folders(), *([self._config] if self._config else [])]
            seen = stamps_of(self._watched)
            self._start()
            await self._until_something_happens(seen)
            await self._stop()
        return 0

    def _start(self) -> None:
        options = ["-c", str(self._config)] if self._config else []
        self._child = Child(
            Path(sys.executable),
            "lycatra_appservice",
            ["run", *options],
            Path.cwd(),
            sys.stdout.buffer,
        )

    async def _until_something_happens(self, seen: Stamps) -> None:
        """Return when a file has changed, or when we are to end; the service may end before."""
        told = False
        while stamps_of(self._watched) == seen and not self._stopping.is_set():
            if self._child is not None and not self._child.is_running and not told:
                told = True
                _tell(f"it ended with {self._child.exit_code}; change a file, and it starts again")
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._stopping.wait()
        if not self._stopping.is_set():
            _tell("a file has changed: starting again")

    async def _stop(self) -> None:
        if self._child is not None:
            await self._child.stop()


def stamps_of(watched: Iterable[Path]) -> Stamps:
    """When each file below was changed last, and its size; a file that is not there has none."""
    found: dict[Path, tuple[int, int]] = {}
    for path in _files(watched):
        with suppress(OSError):  # gone between the two looks
            state = path.stat()
            found[path] = (state.st_mtime_ns, state.st_size)
        if len(found) >= _MOST_FILES:
            break
    return found


def _files(watched: Iterable[Path]) -> Iterator[Path]:
    for path in watched:
        if not path.is_dir():
            yield path
            continue
        for folder, below, names in os.walk(path):
            below[:] = sorted(each for each in below if not each.startswith((".", "__")))
            yield from (Path(folder, name) for name in names if Path(name).suffix in _WATCHED)


def _tell(what: str) -> None:
    print(f"lycatra: {what}", file=sys.stderr, flush=True)
