"""Which documents there are: the `tools.docs` section of the configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import PrivateAttr, field_validator

from lycatra_appservice.toolkit.base import Field, ToolSettings
from lycatra_appservice.tools.docs._index import Index

OWN_SET: Final = "lycatra"

_MOST_SETS: Final = 20


class DocSet(ToolSettings):
    """A folder of Markdown files (`*.md`), and those below it, as `docs://<name>/<path>`."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9_-]{0,29}$",
            description="small letters, digits, '-' and '_', 30 at most",
        ),
    ]
    folder: Path


class DocsSettings(ToolSettings):
    """Sets of documents that everybody may read who may use the tools; beside Lycatra's own."""

    sets: Annotated[tuple[DocSet, ...], Field(max_length=_MOST_SETS)] = ()

    # What was read is kept with the section that names it: one process, one index.
    _index: Index = PrivateAttr(default_factory=Index)

    @property
    def index(self) -> Index:
        """What is known of the documents; empty until somebody asks."""
        return self._index

    @field_validator("sets")
    @classmethod
    def _names_differ(cls, sets: tuple[DocSet, ...]) -> Sequence[DocSet]:
        names = [OWN_SET, *(each.name for each in sets)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if OWN_SET in twice:
            raise ValueError(f"{OWN_SET!r} is the name of Lycatra's own documents")
        if twice:
            raise ValueError(f"two sets are called {', '.join(map(repr, twice))}")
        return sets
