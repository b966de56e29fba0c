"""The libraries that are only installed where they are needed, and what to do where one is not."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol, runtime_checkable

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.words.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """One of the extras of pyproject.toml, by the module that it brings."""

    name: str
    module: str

    @property
    def install(self) -> str:
        """The line that installs it beside what is there."""
        return f"pip install 'lycatra-appservice[{self.name}]'"

    @property
    def is_installed(self) -> bool:
        """Whether it can be imported; it is not imported for that."""
        try:
            return find_spec(self.module) is not None
        except ModuleNotFoundError:  # of what the module is in
            return False

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Around the import of what needs it; raises ToolFailedError with the line to install."""
        try:
            yield
        except ModuleNotFoundError as exc:
            if (exc.name or "").partition(".")[0] != self.module:
                raise
            said = Text("extra_missing", extra=self.name, install=self.install)
            raise ToolFailedError(said) from exc


@runtime_checkable
class NeedsExtras(Protocol):
    """A section of the configuration whose values need extras."""

    @property
    def needed_extras(self) -> Sequence[Extra]:
        """Which of them, as it is configured."""


def missing_extras(sections: Mapping[str, object]) -> Mapping[str, Extra]:
    """What is not installed, by a sentence for the operator; `sections` by their namespace."""
    return {
        f"tools.{name} needs the extra {extra.name!r}, which is not installed: "
        f"run {extra.install}": extra
        for name, section in sorted(sections.items())
        if isinstance(section, NeedsExtras)
        for extra in section.needed_extras
        if not extra.is_installed
    }
