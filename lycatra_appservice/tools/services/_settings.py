"""What is checked and restarted: the `tools.services` section of the configuration."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import HttpUrl, field_validator

from lycatra_appservice.toolkit.base import Extra, Field, Target, ToolSettings
from lycatra_appservice.tools.services._restart_settings import (
    DOCKER,
    KUBERNETES,
    MOST_RESTARTS,
    DockerRestart,
    Restart,
)

# The name under which Lycatra reports itself.
ITSELF = "lycatra"

_MOST_CHECKS = 40  # so that one answer always holds all of them
_SHOWN_TEXT = 200


class _Check(ToolSettings):
    """What all checks have."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    timeout_seconds: Annotated[float, Field(gt=0, le=20)] = 5


class HttpCheck(_Check):
    """GET an address; redirects are followed. Fine is any 2xx, or exactly `expect_status`."""

    kind: Literal["http"]
    url: HttpUrl
    expect_status: Annotated[int, Field(ge=100, le=599)] | None = None
    expect_text: Annotated[str, Field(min_length=1, max_length=_SHOWN_TEXT)] | None = None


class TcpCheck(_Check):
    """Open a connection to `host:port` (`[::1]:5432` for IPv6) and close it again."""

    kind: Literal["tcp"]
    address: Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[^\[\]:\s]+):[0-9]{1,5}$")]

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)

    @field_validator("address")
    @classmethod
    def _has_a_port(cls, address: str) -> str:
        if not 0 < int(address.rpartition(":")[2]) < 65_536:
            raise ValueError("the port must be 1 to 65535")
        return address


class CommandCheck(_Check):
    """Run a program by its argument list, without a shell. Fine is exit code `expect_status`.

    Neither the arguments nor, unless `show_output` says so, what it writes are ever shown: both
    often hold secrets.
    """

    kind: Literal["command"]
    argv: Annotated[tuple[Annotated[str, Field(max_length=2000)], ...], Field(min_length=1)]
    expect_status: Annotated[int, Field(ge=0, le=255)] = 0
    expect_text: Annotated[str, Field(min_length=1, max_length=_SHOWN_TEXT)] | None = None
    show_output: bool = False


ServiceCheck: TypeAlias = Annotated[
    HttpCheck | TcpCheck | CommandCheck, Field(discriminator="kind")
]


class ServicesSettings(ToolSettings):
    """The checks; without any, only Lycatra itself is reported. And what may be restarted."""

    checks: Annotated[tuple[ServiceCheck, ...], Field(max_length=_MOST_CHECKS)] = ()
    restarts: Annotated[tuple[Restart, ...], Field(max_length=MOST_RESTARTS)] = ()

    @property
    def allowed_targets(self) -> Sequence[Target]:
        """The services themselves, wherever they are."""
        engines = [each.target for each in self.restarts if isinstance(each, DockerRestart)]
        return [
            *(target for check in self.checks for target in _targets(check)),
            *(engine for engine in engines if engine is not None),
        ]

    @property
    def needed_extras(self) -> Sequence[Extra]:
        """Those of the kinds that are configured."""
        kinds = {each.kind for each in self.restarts}
        return [each for each in (DOCKER, KUBERNETES) if each.name in kinds]

    @field_validator("checks")
    @classmethod
    def _names_differ(cls, checks: tuple[ServiceCheck, ...]) -> tuple[ServiceCheck, ...]:
        names = [check.name.casefold() for check in checks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two checks are called {', '.join(map(repr, twice))}")
        if ITSELF in names:
            raise ValueError(f"{ITSELF!r} is this service itself and needs no check")
        return checks

    @field_validator("restarts")
    @classmethod
    def _services_differ(cls, restarts: tuple[Restart, ...]) -> tuple[Restart, ...]:
        names = [restart.service.casefold() for restart in restarts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two restarts are of {', '.join(map(repr, twice))}")
        return restarts


def _targets(check: ServiceCheck) -> Sequence[Target]:
    match check:
        case HttpCheck():
            return [Target.of_url(str(check.url))]
        case TcpCheck():
            return [Target.of_host(*check.endpoint)]
        case CommandCheck():
            return ()
