"""Loads modules from a folder under a name of our own: without sys.path, from source only.

Byte code is not read: whoever may write into a `__pycache__` could put other code there.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.foreign_code import foreign_code
from lycatra_appservice.toolkit.own.trust import distrust

_PREFIX: Final = "lycatra_local"


class UntrustedFileError(LycatraError):
    """Somebody else could have written the file; the message says who may, and what to type."""


class LocalFolder:
    """A folder as a package of its own, which nobody else's import can see or shadow."""

    def __init__(self, folder: Path) -> None:
        """Loaded anew each time: two of the same folder share nothing."""
        self._folder = folder
        _listen_to_imports()
        self._name = next(
            name for n in count(1) if (name := f"{_PREFIX}.folder{n}") not in sys.modules
        )
        package = ModuleType(self._name, f"Tools of {folder}")
        package.__path__ = [str(folder)]
        sys.modules[self._name] = package

    def load(self, *names: str) -> ModuleType:
        """Import `<folder>/<name>/<name>…`, with what it imports itself.

        Raises UntrustedFileError, and ForeignCodeError for whatever its code raises.
        """
        below = self._folder.joinpath(*names)
        file = below / "__init__.py" if below.is_dir() else below.with_suffix(".py")
        with foreign_code(file, self._folder):
            return import_module(".".join([self._name, *names]))


class _SourceLoader(SourceFileLoader):
    """Compiles what stands in a file that nobody else may write."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        if problem := distrust(Path(path)):
            raise UntrustedFileError(problem)
        return self.source_to_code(self.get_data(path), path)


class _LocalFinder(MetaPathFinder):
    """Finds modules below our prefix and no others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{_PREFIX}."):
            return None
        for folder in path or ():
            spec = FileFinder(folder, (_SourceLoader, [".py"])).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
        # Not None: Python would go on looking, and find compiled files.
        raise ModuleNotFoundError(f"there is no {fullname.rpartition('.')[2]}.py", name=fullname)


def _listen_to_imports() -> None:
    if _PREFIX not in sys.modules:
        package = ModuleType(_PREFIX, "What is loaded from folders of the operator's own.")
        package.__path__ = []
        sys.modules[_PREFIX] = package
        sys.meta_path.insert(0, _LocalFinder())
