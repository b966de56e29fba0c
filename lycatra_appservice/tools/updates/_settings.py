"""Where updates are read from: the `tools.updates` section of the configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import HttpUrl, field_validator

from lycatra_appservice.toolkit.base import Field, Target, ToolSettings

_MOST_SOURCES = 20

_FieldPath: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]


class FieldMap(ToolSettings):
    """Under which key each fact stands in a record; a dot goes into an inner object."""

    version: _FieldPath = "version"
    title: _FieldPath = "title"
    date: _FieldPath = "date"
    service: _FieldPath = "service"
    changes: _FieldPath = "changes"
    url: _FieldPath = "url"


class _Source(ToolSettings):
    """What all sources have."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    service: Annotated[str, Field(min_length=1, max_length=60)] | None = None  # default: the name

    timeout_seconds: Annotated[float, Field(gt=0, le=14)] = 10  # the tool as a whole has 15

    @property
    def default_service(self) -> str:
        """The service of an update that does not say which one it is about."""
        return self.service or self.name


class ChangelogSource(_Source):
    """A file in the format of Keep a Changelog; without a path Lycatra's own."""

    kind: Literal["changelog"]
    path: Path | None = None


class GitSource(_Source):
    """Tags and commits of a local repository, working copy or bare."""

    kind: Literal["git"]
    path: Path
    show: Literal["tags", "commits", "both"] = "both"


class DeployLogSource(_Source):
    """A file with one JSON object a line, the newest at the end."""

    kind: Literal["deploy_log"]
    path: Path
    fields: FieldMap = FieldMap()


class UrlSource(_Source):
    """An Atom feed, or JSON with a list of objects; `items` is the key path to that list."""

    kind: Literal["url"]
    url: HttpUrl
    items: str = ""
    fields: FieldMap = FieldMap()


UpdateSource: TypeAlias = Annotated[
    ChangelogSource | GitSource | DeployLogSource | UrlSource, Field(discriminator="kind")
]

OWN_CHANGES = ChangelogSource(name="lycatra", kind="changelog")


class UpdatesSettings(ToolSettings):
    """The sources, all read for every question; without any, Lycatra's own changelog."""

    sources: Annotated[tuple[UpdateSource, ...], Field(max_length=_MOST_SOURCES)] = (OWN_CHANGES,)

    @property
    def allowed_targets(self) -> Sequence[Target]:
        """The hosts of the sources that are web addresses."""
        return [
            Target.of_url(str(each.url)) for each in self.sources if isinstance(each, UrlSource)
        ]

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: tuple[UpdateSource, ...]) -> Sequence[UpdateSource]:
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are called {', '.join(map(repr, twice))}")
        return sources
