"""The `tools.updates` section: sources of updates, what is watched, and what is deployed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import HttpUrl, field_validator, model_validator

from lycatra_appservice.toolkit.base import Extra, Field, Target, ToolSettings
from lycatra_appservice.tools._places import DOCKER, KUBERNETES
from lycatra_appservice.tools._probes import targets_of
from lycatra_appservice.tools.updates._deploy_settings import MOST_DEPLOYS, Deploy, DockerDeploy
from lycatra_appservice.tools.updates._watch_settings import (
    MOST_WATCHED,
    Hooks,
    HookWatch,
    Polled,
    Watch,
)

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
    """The sources, all read for every question; without any, Lycatra's own changelog.

    Releases that `watch` and `hooks` bring are told to rooms. And what may be deployed.
    """

    sources: Annotated[tuple[UpdateSource, ...], Field(max_length=_MOST_SOURCES)] = (OWN_CHANGES,)

    watch: Annotated[tuple[Watch, ...], Field(max_length=MOST_WATCHED)] = ()
    hooks: Hooks = Hooks()
    deploy: Annotated[tuple[Deploy, ...], Field(max_length=MOST_DEPLOYS)] = ()

    @property
    def allowed_targets(self) -> Sequence[Target]:
        """The hosts of the sources, of what is watched, of health checks, and of engines."""
        probes = [each.health for each in self.deploy if each.health is not None]
        engines = [each.target for each in self.deploy if isinstance(each, DockerDeploy)]
        return [
            *(
                Target.of_url(str(each.url))
                for each in self.sources
                if isinstance(each, UrlSource)
            ),
            *(target for each in self.polled for target in each.targets),
            *(target for probe in probes for target in targets_of(probe)),
            *(engine for engine in engines if engine is not None),
        ]

    @property
    def polled(self) -> Sequence[Polled]:
        """What is looked at from time to time."""
        return [each for each in self.watch if not isinstance(each, HookWatch)]

    @property
    def needed_extras(self) -> Sequence[Extra]:
        """Those of the kinds of deploying that are configured."""
        kinds = {each.kind for each in self.deploy}
        return [each for each in (DOCKER, KUBERNETES) if each.name in kinds]

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: tuple[UpdateSource, ...]) -> Sequence[UpdateSource]:
        _differ([source.name for source in sources])
        return sources

    @field_validator("watch")
    @classmethod
    def _watched_differ(cls, watch: tuple[Watch, ...]) -> tuple[Watch, ...]:
        _differ([each.name for each in watch])
        return watch

    @field_validator("deploy")
    @classmethod
    def _services_differ(cls, deploy: tuple[Deploy, ...]) -> tuple[Deploy, ...]:
        names = [each.service.casefold() for each in deploy]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two say how to deploy {', '.join(map(repr, twice))}")
        # Deployments keep apart by the names of services, so what they touch has to differ, too.
        touched = [each.touches for each in deploy]
        again = sorted({each for each in touched if touched.count(each) > 1})
        if again:
            raise ValueError(f"two would deploy {' and '.join(again)}")
        return deploy

    @model_validator(mode="after")
    def _hooks_tell_of_something(self) -> Self:
        if (self.hooks.github or self.hooks.updates) and not self.watch:
            raise ValueError("has hooks, but nothing in `watch` that they could tell of")
        return self


def _differ(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two sources are called {', '.join(map(repr, twice))}")
