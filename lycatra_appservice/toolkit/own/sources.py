"""Where tools of one's own come from: configured folders, and installed packages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Final, TypeAlias

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.foreign_code import foreign_code
from lycatra_appservice.toolkit.naming import TESTS
from lycatra_appservice.toolkit.own.importing import LocalFolder
from lycatra_appservice.toolkit.own.trust import distrust

ENTRY_POINTS: Final = "lycatra.tools"

Load: TypeAlias = Callable[..., ModuleType]


class SourceError(LycatraError):
    """Nothing of a folder or package can be used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder of namespaces; `load` imports by names below it and raises what imports raise."""

    label: str  # for people
    folder: Path
    load: Load

    def entries(self) -> Iterator[Path]:
        """What may be a namespace, or a file in the wrong place, by name."""
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith(("_", ".")) or path.name == TESTS:
                continue
            if path.suffix == ".py" or (path.is_dir() and _has_code(path)):
                yield path

    def tool_files(self, namespace: str) -> Iterator[Path]:
        """The files of a namespace that are no helpers, by name."""
        for path in sorted((self.folder / namespace).glob("*.py")):
            if not path.name.startswith(("_", ".")):
                yield path


def _has_code(folder: Path) -> bool:
    """Whether it has Python files, or cannot be looked into: `glob` would find nothing there."""
    try:
        return any(path.suffix == ".py" for path in folder.iterdir())
    except OSError:
        return True


OpenSource: TypeAlias = Callable[[], Source]


def folder_source(folder: Path) -> Source:
    """A configured folder. Raises SourceError."""
    try:
        if not folder.is_dir():
            raise SourceError("there is no such folder")
        if problem := distrust(folder):
            raise SourceError(problem)
        return Source(label=str(folder), folder=folder, load=LocalFolder(folder).load)
    except OSError as error:
        raise SourceError(f"it cannot be read: {error.strerror}") from error


def package_sources() -> Iterator[tuple[str, OpenSource]]:
    """Each installed package that offers tools: its name for people, and how to open it."""
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda each: each.name):
        name = entry.dist.name if entry.dist else entry.name
        yield f"package {name}", partial(_package_source, entry, name)


def _package_source(entry: EntryPoint, name: str) -> Source:
    with foreign_code(Path(entry.module), Path(entry.module)):
        package = import_module(entry.module)
    folders = list(getattr(package, "__path__", ()))
    if not folders:
        raise SourceError(f"{entry.module} is no package with a folder for each namespace")
    folder = Path(folders[0])

    def load(*names: str) -> ModuleType:
        with foreign_code(folder.joinpath(*names).with_suffix(".py"), folder):
            return import_module(".".join([entry.module, *names]))

    return Source(label=f"package {name}", folder=folder, load=load)
