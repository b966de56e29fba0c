"""Where a terminal chat is read from and shown: the part that knows about keyboards and pipes."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Protocol, TextIO

from lycatra_appservice.demo.talk import printable, spoken


class Screen(Protocol):
    """What a chat needs of a terminal."""

    interactive: bool  # False: the input is a pipe, and its end is not the end of the answers

    async def read(self) -> str | None:
        """The next line that was typed; None when there will be no more."""

    def show(self, name: str, text: str) -> None:
        """Somebody said something."""

    def tell(self, text: str) -> None:
        """A word from the program itself."""

    def show_typing(self, names: Sequence[str]) -> None:
        """Who is typing now; empty for nobody."""


class PlainScreen:
    """Lines in, lines out: for pipes, files and terminals without line editing."""

    interactive = False

    def __init__(self, source: TextIO, target: TextIO) -> None:
        self._source = source
        self._target = target
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._reader: threading.Thread | None = None

    async def read(self) -> str | None:
        """The next line; None at the end of the input."""
        if self._reader is None:
            # A thread: a file or a pipe cannot be awaited alike, and one that blocks for ever
            # must not keep the program from ending.
            arguments = (asyncio.get_running_loop(),)
            self._reader = threading.Thread(target=self._pump, args=arguments, daemon=True)
            self._reader.start()
        return await self._lines.get()

    def show(self, name: str, text: str) -> None:
        """Print `name: text`."""
        print(spoken(name, text), file=self._target, flush=True)

    def tell(self, text: str) -> None:
        """Print it."""
        print(printable(text), file=self._target, flush=True)

    def show_typing(self, names: Sequence[str]) -> None:
        """Not shown: a line once written cannot be taken back."""

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            for line in self._source:
                loop.call_soon_threadsafe(self._lines.put_nowait, line.rstrip("\r\n"))
            loop.call_soon_threadsafe(self._lines.put_nowait, None)
        except (RuntimeError, ValueError):
            return  # the loop or the input was closed: nobody reads any more
