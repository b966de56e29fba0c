"""Where logs are: the `tools.logs` section of the configuration."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import field_validator, model_validator

from lycatra_appservice.toolkit.base import Extra, Field, Target, ToolSettings
from lycatra_appservice.tools._places import CONTAINER_NAME, DOCKER, OnEngine

_MOST_SOURCES: Final = 20
_MOST_UNITS: Final = 20
_UNIT: Final = r"^[A-Za-z0-9_@][A-Za-z0-9:_.@\\*-]{0,200}$"


class _Source(ToolSettings):
    """What all sources have."""

    name: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^`\s]+$")]
    timeout_seconds: Annotated[float, Field(gt=0, le=20)] = 10


class FileSource(_Source):
    """A file that grows at its end, and what was rotated away (`app.log.1`, `app.log.2.gz`)."""

    kind: Literal["file"]
    path: Path


class FolderSource(_Source):
    """The files of a folder and those below it whose name fits `glob`, rotated ones too.

    Links that lead out of the folder are not followed.
    """

    kind: Literal["folder"]
    path: Path
    glob: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/\\]+$")] = "*.log"


class JournalSource(_Source):
    """The systemd journal, of these units or, without any, all of it; by journalctl.

    With `user` the journal of Lycatra's own user.
    """

    kind: Literal["journald"]
    units: Annotated[
        tuple[Annotated[str, Field(pattern=_UNIT)], ...], Field(max_length=_MOST_UNITS)
    ] = ()
    user: bool = False


class DockerSource(OnEngine, _Source):
    """What a container writes, or the containers of one service of a compose `project`.

    `engine` is Docker's socket or, better, a socket proxy.
    """

    kind: Literal["docker"]
    container: Annotated[str, Field(pattern=CONTAINER_NAME)] | None = None
    project: Annotated[str, Field(pattern=CONTAINER_NAME)] | None = None
    compose_name: Annotated[str, Field(pattern=CONTAINER_NAME)] | None = None

    @model_validator(mode="after")
    def _names_one_thing(self) -> "DockerSource":
        if (self.container is None) == (self.project is None):
            raise ValueError("should have either a container or a compose project")
        if (self.compose_name is None) != (self.project is None):
            raise ValueError("should have a project and a compose_name together")
        return self


LogSource: TypeAlias = Annotated[
    FileSource | FolderSource | JournalSource | DockerSource, Field(discriminator="kind")
]


class LogsSettings(ToolSettings):
    """The logs that may be looked into. Nobody in a room can name any other.

    What looks like a password, token or key is never shown, nor is the first part of an email
    address. `hide` are regular expressions for what else nobody should read.
    """

    sources: Annotated[tuple[LogSource, ...], Field(max_length=_MOST_SOURCES)] = ()
    hide: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=20)
    ] = ()

    @property
    def allowed_targets(self) -> Sequence[Target]:
        """The engines that are not sockets of this machine."""
        engines = [each for each in self.sources if isinstance(each, DockerSource)]
        return [each.target for each in engines if each.target is not None]

    @property
    def needed_extras(self) -> Sequence[Extra]:
        """What reaches an engine, where one is configured."""
        return [DOCKER] if any(isinstance(each, DockerSource) for each in self.sources) else []

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: tuple[LogSource, ...]) -> Sequence[LogSource]:
        names = [source.name.casefold() for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are called {', '.join(map(repr, twice))}")
        return sources

    @field_validator("hide")
    @classmethod
    def _can_be_compiled(cls, hide: tuple[str, ...]) -> tuple[str, ...]:
        for each in hide:
            try:
                re.compile(each)
            except re.error as exc:
                raise ValueError(f"{each!r} is no regular expression: {exc}") from exc
        return hide
