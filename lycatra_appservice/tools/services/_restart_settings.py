"""What can be restarted, and how: `restarts` of the `tools.services` section."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import field_validator, model_validator

from lycatra_appservice.toolkit.base import Field, ToolSettings
from lycatra_appservice.tools._places import CONTAINER_NAME, InCluster, OnEngine

MOST_RESTARTS = 40

_PLACEHOLDER = "{service}"


class _Restart(ToolSettings):
    """What all of them have."""

    service: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^`\s{}]+$")]
    timeout_seconds: Annotated[float, Field(gt=0, le=45)] = 30


class CommandRestart(_Restart):
    """Run a program by its argument list, without a shell; `{service}` stands for the name.

    People who are asked for their approval read the arguments; where these hold secrets, `shown`
    is what they read instead. What the program writes is shown only if `show_output` says so.
    """

    kind: Literal["command"]
    argv: Annotated[tuple[Annotated[str, Field(max_length=2000)], ...], Field(min_length=1)]
    shown: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    show_output: bool = False

    @property
    def command(self) -> Sequence[str]:
        """The argument list that is run."""
        return [part.replace(_PLACEHOLDER, self.service) for part in self.argv]

    @field_validator("argv")
    @classmethod
    def _can_be_run(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if not argv[0].strip() or any("\0" in part for part in argv):
            raise ValueError("should begin with a program, and have no NUL in it")
        return argv


class SystemdRestart(_Restart):
    """Restart a unit with systemctl, of the system or, with `user`, of Lycatra's own user."""

    kind: Literal["systemd"]
    unit: Annotated[str, Field(pattern=r"^[A-Za-z0-9_@][A-Za-z0-9:_.@\\-]{0,200}$")]
    user: bool = False
    show_output: bool = True  # systemctl says why, and knows no secrets

    @property
    def command(self) -> Sequence[str]:
        """The argument list that is run."""
        return ["systemctl", *(["--user"] if self.user else []), "restart", "--", self.unit]

    @property
    def shown(self) -> None:
        """The command itself is fit to be shown."""
        return None


class DockerRestart(OnEngine, _Restart):
    """Restart one container, or those of a compose `project`, by the Docker Engine's API.

    In a project the compose service is called like `service`, unless `compose_name` says
    otherwise. `engine` is Docker's socket or, better, a socket proxy.
    """

    kind: Literal["docker"]
    container: Annotated[str, Field(pattern=CONTAINER_NAME)] | None = None
    project: Annotated[str, Field(pattern=CONTAINER_NAME)] | None = None
    compose_name: Annotated[str, Field(pattern=CONTAINER_NAME)] | None = None
    # Before a container that does not stop is killed; without, what the container itself says.
    stop_seconds: Annotated[int, Field(ge=0, le=40)] | None = None
    # How long it has to stay up, where no health check tells that it is.
    steady_seconds: Annotated[float, Field(ge=0, le=20)] = 2

    @property
    def compose_service(self) -> str:
        """Its name inside the compose project."""
        return self.compose_name or self.service

    @model_validator(mode="after")
    def _names_one_thing(self) -> "DockerRestart":
        if (self.container is None) == (self.project is None):
            raise ValueError("should have either a container or a compose project")
        if self.container is not None and self.compose_name is not None:
            raise ValueError("has a compose_name, which is for a compose project only")
        return self


class KubernetesRestart(InCluster, _Restart):
    """Restart the pods of a workload by a roll-out, as `kubectl rollout restart` does.

    With a kubeconfig: by its context, the current one by default. Without: by the service account
    of the pod that this runs in. It needs the rights to `get` and to `patch` the workload.
    """

    kind: Literal["kubernetes"]
    timeout_seconds: Annotated[float, Field(gt=0, le=45)] = 45  # pods come one after the other


# What runs where it can be looked at, so that its state can be asked for.
SeenRestart: TypeAlias = DockerRestart | KubernetesRestart
Restart: TypeAlias = Annotated[
    CommandRestart | SystemdRestart | SeenRestart,
    Field(discriminator="kind"),
]
