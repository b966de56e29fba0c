"""The border to code that others wrote and that may do anything while it is loaded or run."""

import asyncio
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lycatra_appservice.errors import LycatraError

_LONGEST_REASON: Final = 300
_WITHOUT: Final = re.compile(
    r"(?P<what>\w+)\.__init__\(\) missing \d+ required keyword-only arguments?: (?P<names>.+)"
)


class ForeignCodeError(LycatraError):
    """Somebody's code failed; the message says where and how, in one line, for the operator."""


@contextmanager
def foreign_code(file: Path, folder: Path) -> Iterator[None]:
    """Run code of `file` and of what it uses from `folder`.

    Raises ForeignCodeError for whatever it raises, except for what we raise on purpose.
    """
    try:
        yield
    except LycatraError:
        raise
    # A file may also end the program, by `sys.exit()` for example.
    except (Exception, SystemExit) as exc:
        raise ForeignCodeError(_reason(exc, file, folder)) from exc


@contextmanager
def contained() -> Iterator[None]:
    """Run code of others that may fail, but end neither the program nor the task it runs in.

    Raises ForeignCodeError when it tries to. Whoever cancels the task is obeyed.
    """
    try:
        yield
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ForeignCodeError("it waited for something that it had cancelled itself") from exc
    except SystemExit as exc:
        raise ForeignCodeError(f"it tried to end the program: SystemExit: {exc}") from exc


def _reason(exc: BaseException, file: Path, folder: Path) -> str:
    if isinstance(exc, SyntaxError) and exc.filename:
        place = _place(Path(exc.filename), exc.lineno, file, folder)
        said = exc.msg
    else:
        place = _last_place(exc, file, folder)
        said = _said(exc)
    return " ".join(f"{place}{said}".split())[:_LONGEST_REASON]


def _said(exc: BaseException) -> str:
    if isinstance(exc, ImportError):
        return str(exc)
    if isinstance(exc, TypeError) and (found := _WITHOUT.fullmatch(str(exc))):
        return f"{found['what']}(…) has no {found['names']}"
    return f"{type(exc).__name__}: {exc}"


def _last_place(exc: BaseException, file: Path, folder: Path) -> str:
    """The last line of the folder's own that was reached; what it uses is somebody else's."""
    for frame in reversed(traceback.extract_tb(exc.__traceback__)):
        where = Path(frame.filename)
        if where.is_relative_to(folder):
            return _place(where, frame.lineno, file, folder)
    return ""


def _place(where: Path, line: int | None, file: Path, folder: Path) -> str:
    if where == file and file.name != "__init__.py":  # that one is known by its folder
        return f"line {line}: "
    named = where.relative_to(folder) if where.is_relative_to(folder) else where
    return f"line {line} of {named}: "
