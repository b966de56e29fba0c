"""Questions and progress in a terminal, or without one: then every question has its default."""

from collections.abc import Callable, Sequence
from getpass import getpass
from typing import Final, TextIO, TypeVar

from lycatra_appservice.setup.answers import SetupError

ReadT = TypeVar("ReadT")

_YES: Final = frozenset({"y", "yes"})
_NO: Final = frozenset({"n", "no"})
_CLEAR_LINE: Final = "\r\x1b[2K"


class Console:
    """Asks on `reads` if there is one, and tells on `writes`."""

    def __init__(self, reads: TextIO | None, writes: TextIO) -> None:
        self._reads = reads
        self._writes = writes
        self._progress = ""
        self._rewrites = writes.isatty()

    @property
    def is_interactive(self) -> bool:
        """Whether anybody can be asked."""
        return self._reads is not None

    def say(self, text: str = "") -> None:
        """Tell something."""
        self._end_progress()
        self._write(f"{text}\n")

    def show_progress(self, text: str, seconds: int) -> None:
        """Tell what is waited for; a terminal shows the seconds, a log only what is new."""
        if self._rewrites:
            self._write(f"{_CLEAR_LINE}  {text} … {seconds} s")
        elif text != self._progress:
            self._write(f"  {text} …\n")
        self._progress = text

    def ask(self, question: str, default: str | None, read: Callable[[str], ReadT]) -> ReadT:
        """Ask until `read` takes the answer; an empty one means the default."""
        while True:
            typed = self._line(f"{question}{f' [{default}]' if default else ''}: ").strip()
            if not typed and default is None:
                continue
            try:
                return read(typed or default or "")
            except SetupError as mistaken:
                self.say(f"  {mistaken}")

    def choose(self, question: str, options: Sequence[str], default: int) -> int:
        """Let the person take one of several; returns its place, from 0."""
        self.say(question)
        for number, option in enumerate(options, start=1):
            self.say(f"  {number}  {option}")

        def read(typed: str) -> int:
            if not typed.isdecimal() or not 1 <= int(typed) <= len(options):
                raise SetupError(f"a number from 1 to {len(options)}, please")
            return int(typed) - 1

        return self.ask("  which", str(default + 1), read)

    def confirm(self, question: str, *, default: bool) -> bool:
        """Yes or no."""

        def read(typed: str) -> bool:
            if typed.lower() not in _YES | _NO:
                raise SetupError("y or n, please")
            return typed.lower() in _YES

        return self.ask(f"{question} (y/n)", "y" if default else "n", read)

    def ask_secret(self, question: str) -> str:
        """Ask for something that is not shown while it is typed."""
        self._end_progress()
        return getpass(f"{question}: ").strip()

    def _line(self, prompt: str) -> str:
        self._end_progress()
        self._write(prompt)
        line = self._reads.readline() if self._reads is not None else ""
        if not line:
            self._write("\n")
            raise SetupError("there is nobody to ask: give the answers as options (--help)")
        return line

    def _end_progress(self) -> None:
        if self._progress and self._rewrites:
            self._write(_CLEAR_LINE)
        self._progress = ""

    def _write(self, text: str) -> None:
        self._writes.write(text)
        self._writes.flush()
