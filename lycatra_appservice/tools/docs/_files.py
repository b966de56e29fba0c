"""Finds the Markdown files of a folder, and nothing outside of it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

_ENDING: Final = ".md"
_MOST_FILES: Final = 2000  # of a set
_MOST_LOOKED_AT: Final = 50_000
_OF_HOME: Final = frozenset({"README", "CHANGELOG", "CONTRIBUTING"})
# The catalogue of all messages explains nothing, and would be found for every question.
_NOT_ABOUT_IT: Final = frozenset({"MESSAGES"})
# They name what other pages explain.
_REFERENCE: Final = frozenset({"TOOLS", "CHANGELOG", "CONTRIBUTING"})
_OF_REFERENCE: Final = 0.6
_LEFT_OUT: Final = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DocFile:
    """A file and its name within its set, without the ending; `version` changes when it does."""

    name: str
    path: Path
    version: tuple[int, int]  # nanoseconds of its last change, and bytes
    weight: float = 1.0  # what its words count


def files_below(folder: Path, *, deep: bool = True) -> Iterator[DocFile]:
    """In the order of their names. Raises OSError when the folder cannot be read.

    Files and folders whose name begins with a dot are left out, and links that lead outside.
    """
    root = folder.resolve(strict=True)
    with os.scandir(root):
        pass  # or os.walk would just find nothing
    seen = looked_at = 0
    for above, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if deep and _is_looked_into(each))
        for name in sorted(names):
            if not name.endswith(_ENDING) or name.startswith("."):
                continue
            if (found := _seen(Path(above) / name, root)) is not None:
                yield found
                seen += 1
        looked_at += len(names)
        if seen >= _MOST_FILES or looked_at >= _MOST_LOOKED_AT:
            return


def own_files() -> Iterator[DocFile]:
    """Lycatra's own: beside the package's files when installed, else those of the checkout."""
    package = Path(__file__).parents[2]
    home = package if (package / "README.md").exists() else package.parent
    for folder in (home, home / "docs"):
        try:
            found = list(files_below(folder, deep=False))
        except OSError:
            continue  # not shipped with this installation
        if folder == home:
            found = [each for each in found if each.name in _OF_HOME]
        yield from (_weighed(each) for each in found if each.name not in _NOT_ABOUT_IT)


def _weighed(file: DocFile) -> DocFile:
    return replace(file, weight=_OF_REFERENCE) if file.name in _REFERENCE else file


def _is_looked_into(folder: str) -> bool:
    return not folder.startswith(".") and folder not in _LEFT_OUT


def _seen(path: Path, root: Path) -> DocFile | None:
    try:
        real = path.resolve(strict=True)
        if not (real.is_relative_to(root) and real.is_file()):
            return None
        about = real.stat()
    except OSError:
        return None  # gone just now, or a link to nowhere
    name = path.relative_to(root).as_posix().removesuffix(_ENDING)
    return DocFile(name=name, path=real, version=(about.st_mtime_ns, about.st_size))
