"""A terminal with line editing, where answers appear above the line being typed."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from zlib import crc32

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.styles import Style

from lycatra_appservice.demo.talk import printable

_COLOURS = ("ansicyan", "ansigreen", "ansimagenta", "ansiyellow", "ansiblue")
_STYLE = Style.from_dict({"bottom-toolbar": "noreverse ansibrightblack"})


class PromptScreen:
    """A chat on a real terminal. Use as a context manager; it owns the terminal meanwhile."""

    interactive = True

    def __init__(self, name: str, history_file: Path | None = None) -> None:
        history: History = InMemoryHistory()
        if history_file is not None:
            history = FileHistory(str(history_file))
        self._name = name
        self._typing: Sequence[str] = ()
        self._open = ExitStack()
        self._session: PromptSession[str] = PromptSession(
            FormattedText([("bold", f"{name}: ")]),
            history=history,
            style=_STYLE,
            bottom_toolbar=self._status,
        )

    def __enter__(self) -> Self:
        self._open.enter_context(patch_stdout())
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    async def read(self) -> str | None:
        """The next line; None for Ctrl-D and Ctrl-C."""
        try:
            return await self._session.prompt_async()
        except (EOFError, KeyboardInterrupt):
            return None

    def show(self, name: str, text: str) -> None:
        """Print above the prompt, the name in a colour of its own."""
        colour = _COLOURS[crc32(name.encode()) % len(_COLOURS)]
        said = [(f"bold {colour}", f"{name}: "), ("", printable(text))]
        print_formatted_text(FormattedText(said), output=self._session.output)

    def tell(self, text: str) -> None:
        """Print above the prompt, dimmed."""
        said = FormattedText([("ansibrightblack", printable(text))])
        print_formatted_text(said, output=self._session.output)

    def show_typing(self, names: Sequence[str]) -> None:
        """Show below the prompt who is typing."""
        self._typing = names
        self._session.app.invalidate()

    def _status(self) -> str:
        if not self._typing:
            return "/quit or Ctrl-D ends"
        verb = "is" if len(self._typing) == 1 else "are"
        return f"{', '.join(self._typing)} {verb} typing…"
