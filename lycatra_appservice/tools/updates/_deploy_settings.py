"""What can be deployed, and how: `deploy` of the `tools.updates` section."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import SecretStr, field_validator, model_validator

from lycatra_appservice.toolkit.base import Field, ToolSettings
from lycatra_appservice.tools._places import CONTAINER_NAME, OBJECT_NAME, InCluster, OnEngine
from lycatra_appservice.tools._probes import Probe
from lycatra_appservice.tools.updates._versions import IMAGE, repository_of

MOST_DEPLOYS: Final = 40

_LONGEST_SECONDS: Final = 3300  # a little less than what the tool has as a whole
_PATH_OF_VERSION: Final = "{version}"

_Seconds: TypeAlias = Annotated[float, Field(gt=0, le=1800)]
_Argv: TypeAlias = Annotated[
    tuple[Annotated[str, Field(max_length=2000)], ...], Field(min_length=1, max_length=100)
]
_Image: TypeAlias = Annotated[
    str, Field(pattern=IMAGE, description="an image without its tag, such as ghcr.io/me/shop")
]


class _Deploy(ToolSettings):
    """What all of them have.

    A new version has `health_seconds` to become well, and `watch_seconds` to stay so; then it is
    kept. Else the one before comes back, unless `keep_going` leaves it as it is. `health` is asked
    beside what can be seen of the service itself; `{version}` in its `expect_text` is the version.
    """

    service: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$",
            description="letters, digits, '.', '_' and '-'",
        ),
    ]
    health: Probe | None = None
    apply_seconds: _Seconds = 300
    health_seconds: _Seconds = 60
    watch_seconds: Annotated[float, Field(ge=0, le=1800)] = 30
    look_seconds: Annotated[float, Field(ge=0.02, le=60)] = 2
    canary_seconds: _Seconds = 60
    keep_going: bool = False
    # Lycatra itself: what brings the new version may end this process, and the next one goes on.
    itself: bool = False

    @property
    def touches(self) -> str:
        """What it changes, for two that would change the same."""
        return f"what is called {self.service.casefold()!r}"

    @model_validator(mode="after")
    def _ends_in_time(self) -> Self:
        # Tried out, there, and back again.
        longest = 3 * self.apply_seconds + 2 * self.health_seconds
        longest += self.watch_seconds + self.canary_seconds
        if longest > _LONGEST_SECONDS:
            raise ValueError(
                f"could take {longest:g} s with its roll-back, which has to end within "
                f"{_LONGEST_SECONDS} s: three times apply_seconds, twice health_seconds, "
                "watch_seconds and canary_seconds together"
            )
        return self


class CommandDeploy(_Deploy):
    """By programs and their argument lists, without a shell.

    `{service}`, `{version}` and `{previous}` stand for what they say. `apply` brings a version;
    `rollback` brings `{version}` back, by default `apply` does; `current` prints the version that
    runs; `canary` tries one out. `repeatable` says that `apply` may run again when it was cut off.
    People who approve read the arguments, or `shown` instead of them.
    """

    kind: Literal["command"]
    apply: _Argv
    rollback: _Argv | None = None
    current: _Argv | None = None
    canary: _Argv | None = None
    repeatable: bool = False
    shown: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    show_output: bool = False

    @field_validator("apply", "rollback", "current", "canary")
    @classmethod
    def _can_be_run(cls, argv: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if argv is None:
            return None
        if not argv[0].strip() or "{" in argv[0] or any("\0" in part for part in argv):
            raise ValueError("should begin with a program, and have no NUL in it")
        return argv

    @model_validator(mode="after")
    def _knows_the_version(self) -> Self:
        if not any(_PATH_OF_VERSION in part for part in self.apply):
            raise ValueError("has no {version} in `apply`")
        return self


class ComposeDeploy(_Deploy):
    """One service of a compose project, by `docker compose` and a file that sets its tag.

    The compose service is called like `service`, unless `compose_name` says otherwise. The tag is
    written into `override`, by default `lycatra.SERVICE.yaml` beside the first of `files`.
    """

    kind: Literal["compose"]
    project: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")]
    files: Annotated[tuple[Path, ...], Field(min_length=1, max_length=10)]
    image: _Image
    compose_name: Annotated[str, Field(pattern=CONTAINER_NAME)] | None = None
    override: Path | None = None
    program: Annotated[str, Field(min_length=1, max_length=300)] = "docker"
    pull: bool = True
    show_output: bool = False

    @field_validator("image")
    @classmethod
    def _has_no_tag(cls, image: str) -> str:
        return _without_tag(image)

    @model_validator(mode="after")
    def _is_another_one(self) -> Self:
        if self.itself:
            raise ValueError(
                "cannot be `itself`: compose stops a container before it starts the next one, and "
                "would be ended with it; `kind: docker` can"
            )
        return self

    @property
    def compose_service(self) -> str:
        """Its name inside the compose project."""
        return self.compose_name or self.service

    @property
    def touches(self) -> str:
        """What it changes, for two that would change the same."""
        return f"the compose service {self.compose_service!r} of {self.project!r}"


class RegistryLogin(ToolSettings):
    """Who may have an image, where not everybody may."""

    username: Annotated[str, Field(min_length=1, max_length=200)]
    password: SecretStr


class DockerDeploy(OnEngine, _Deploy):
    """One container, made anew of another tag by the Docker Engine's API.

    `image` is by default the one that the container has. With `canary` a second container of the
    new image runs first: without ports, with read-only volumes.
    """

    kind: Literal["docker"]
    container: Annotated[str, Field(pattern=CONTAINER_NAME)]
    image: _Image | None = None
    pull: bool = True
    registry: RegistryLogin | None = None
    canary: bool = False
    stop_seconds: Annotated[int, Field(ge=0, le=600)] | None = None
    # How long it has to stay up, where it has no health check.
    steady_seconds: Annotated[float, Field(ge=0, le=60)] = 2

    @property
    def touches(self) -> str:
        """What it changes, for two that would change the same."""
        return f"the container {self.container!r} at {self.engine}"

    @field_validator("image")
    @classmethod
    def _has_no_tag(cls, image: str | None) -> str | None:
        return image and _without_tag(image)


class KubernetesDeploy(InCluster, _Deploy):
    """A container of a workload, whose pods the cluster replaces in its own way.

    It needs the rights to `get` and to `patch` the workload. `container` is needed where the
    workload has several; `image` is by default the one that it has.
    """

    kind: Literal["kubernetes"]
    container: Annotated[str, Field(pattern=rf"^{OBJECT_NAME}$")] | None = None
    image: _Image | None = None
    health_seconds: _Seconds = 300  # pods come one after the other

    @property
    def touches(self) -> str:
        """What it changes, for two that would change the same."""
        one = f", container {self.container!r}" if self.container else ""
        of = f" of {self.kubeconfig}" if self.kubeconfig else ""
        context = f" ({self.context})" if self.context else ""
        return f"{self.workload!r} in the namespace {self.namespace!r}{of}{context}{one}"

    @field_validator("image")
    @classmethod
    def _has_no_tag(cls, image: str | None) -> str | None:
        return image and _without_tag(image)


Deploy: TypeAlias = Annotated[
    CommandDeploy | ComposeDeploy | DockerDeploy | KubernetesDeploy, Field(discriminator="kind")
]


def _without_tag(image: str) -> str:
    if repository_of(image) != image:
        raise ValueError("should be without a tag, which is the version")
    return image
