"""What is looked at, and how: `checks` of the `tools.services` section."""

from typing import Annotated, Literal, TypeAlias

from lycatra_appservice.toolkit.base import Field, ToolSettings
from lycatra_appservice.tools._places import CONTAINER_NAME, InCluster, OnEngine
from lycatra_appservice.tools._probes import CommandProbe, HttpProbe, TcpProbe
from lycatra_appservice.tools.services._certificates.places import HTTPS, CertificatePlace

MOST_CHECKS = 40  # so that one answer always holds all of them


class _Check(ToolSettings):
    """What all checks have.

    When one goes down, rooms that subscribed to it are told, in their quiet hours only what is
    `urgent`; with `alerts: false` never.
    """

    name: Annotated[str, Field(min_length=1, max_length=60)]
    alerts: bool = True
    urgent: bool = False


class HttpCheck(HttpProbe, _Check):
    """GET an address; redirects are followed. Fine is any 2xx, or exactly `expect_status`."""

    @property
    def certificate_place(self) -> CertificatePlace | None:
        """Where it shows its certificate, if it is asked by https."""
        if self.url.scheme != "https":
            return None
        return CertificatePlace((self.url.host or "").strip("[]"), self.url.port or HTTPS)


class TcpCheck(TcpProbe, _Check):
    """Open a connection to `host:port` (`[::1]:5432` for IPv6) and close it again."""


class CommandCheck(CommandProbe, _Check):
    """Run a program by its argument list, without a shell. Fine is exit code `expect_status`.

    Neither the arguments nor, unless `show_output` says so, what it writes are ever shown: both
    often hold secrets.
    """


class DockerCheck(OnEngine, _Check):
    """A container: whether it runs, its health, restarts and image."""

    kind: Literal["docker"]
    container: Annotated[str, Field(pattern=CONTAINER_NAME)]

    @property
    def project(self) -> None:
        """A container is looked for by its name alone."""
        return

    @property
    def compose_service(self) -> str:
        """Of no project."""
        return ""


class ComposeCheck(OnEngine, _Check):
    """All containers of a service in a compose project; by default it is called like the check."""

    kind: Literal["compose"]
    project: Annotated[str, Field(pattern=CONTAINER_NAME)]
    service: Annotated[str, Field(pattern=CONTAINER_NAME)] | None = None

    @property
    def container(self) -> None:
        """They are looked for by their labels."""
        return

    @property
    def compose_service(self) -> str:
        """Its name inside the project."""
        return self.service or self.name


class KubernetesCheck(InCluster, _Check):
    """The pods of a workload: how many are available, their restarts and images."""

    kind: Literal["kubernetes"]


ProbedCheck: TypeAlias = HttpCheck | TcpCheck | CommandCheck
ContainerCheck: TypeAlias = DockerCheck | ComposeCheck
AnyCheck: TypeAlias = ProbedCheck | ContainerCheck | KubernetesCheck
ServiceCheck: TypeAlias = Annotated[AnyCheck, Field(discriminator="kind")]
