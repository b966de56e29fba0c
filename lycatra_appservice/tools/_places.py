"""Where containers and workloads run: what the settings of all namespaces say of that alike."""

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import field_validator, model_validator

from lycatra_appservice.toolkit.base import Extra, Field, Target, ToolSettings

DOCKER: Final = Extra(name="docker", module="aiodocker")
KUBERNETES: Final = Extra(name="kubernetes", module="lightkube")

# They become parts of addresses, so nothing of an address may be in them.
CONTAINER_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"
OBJECT_NAME: Final = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"

_UNIX = "unix://"


class OnEngine(ToolSettings):
    """On a Docker Engine: `engine` is Docker's socket or, better, a socket proxy."""

    engine: Annotated[
        str, Field(pattern=r"^(unix:///[^?#]{1,100}|(tcp|https?)://[^/?#@\s]{1,250}/?)$")
    ] = "unix:///var/run/docker.sock"

    @property
    def address(self) -> str:
        """The engine's address as it is asked for."""
        return self.engine.rstrip("/").replace("tcp://", "http://", 1)

    @property
    def target(self) -> Target | None:
        """The host and port of the engine; None for a socket of this machine."""
        return None if self.engine.startswith(_UNIX) else Target.of_url(self.address)

    @field_validator("engine")
    @classmethod
    def _has_a_port(cls, engine: str) -> str:
        if engine.startswith(_UNIX):
            return engine
        if not engine.rstrip("/").rpartition(":")[2].isdecimal():
            raise ValueError("should have a port, such as tcp://docker-proxy:2375")
        return engine


class InCluster(ToolSettings):
    """A workload in a Kubernetes cluster.

    With a kubeconfig: by its context, the current one by default. Without: by the service account
    of the pod that this runs in.
    """

    namespace: Annotated[
        str, Field(pattern=rf"^{OBJECT_NAME}$", description="small letters, digits, '-' and '.'")
    ]
    workload: Annotated[
        str,
        Field(
            pattern=rf"^(deployment|statefulset|daemonset)/{OBJECT_NAME}$",
            description="deployment/, statefulset/ or daemonset/ and its name",
        ),
    ]
    kubeconfig: Path | None = None
    context: Annotated[str, Field(min_length=1, max_length=300)] | None = None

    @model_validator(mode="after")
    def _has_a_context_of_a_file(self) -> Self:
        if self.context is not None and self.kubeconfig is None:
            raise ValueError("has a context, which needs the kubeconfig that it is in")
        return self
