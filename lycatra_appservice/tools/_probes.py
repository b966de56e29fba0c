"""How to find out whether something is well: what a configuration says of one probe."""

from typing import Annotated, Literal, TypeAlias

from pydantic import HttpUrl, field_validator

from lycatra_appservice.toolkit.base import Field, Target, ToolSettings

_SHOWN_TEXT = 200


class _Probe(ToolSettings):
    """What all probes have."""

    timeout_seconds: Annotated[float, Field(gt=0, le=20)] = 5


class HttpProbe(_Probe):
    """GET an address; redirects are followed. Fine is any 2xx, or exactly `expect_status`."""

    kind: Literal["http"]
    url: HttpUrl
    expect_status: Annotated[int, Field(ge=100, le=599)] | None = None
    expect_text: Annotated[str, Field(min_length=1, max_length=_SHOWN_TEXT)] | None = None


class TcpProbe(_Probe):
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


class CommandProbe(_Probe):
    """Run a program by its argument list, without a shell. Fine is exit code `expect_status`.

    Neither the arguments nor, unless `show_output` says so, what it writes are ever shown: both
    often hold secrets.
    """

    kind: Literal["command"]
    argv: Annotated[tuple[Annotated[str, Field(max_length=2000)], ...], Field(min_length=1)]
    expect_status: Annotated[int, Field(ge=0, le=255)] = 0
    expect_text: Annotated[str, Field(min_length=1, max_length=_SHOWN_TEXT)] | None = None
    show_output: bool = False


Probe: TypeAlias = Annotated[HttpProbe | TcpProbe | CommandProbe, Field(discriminator="kind")]


def targets_of(probe: HttpProbe | TcpProbe | CommandProbe) -> tuple[Target, ...]:
    """The hosts and ports that a probe asks."""
    match probe:
        case HttpProbe():
            return (Target.of_url(str(probe.url)),)
        case TcpProbe():
            return (Target.of_host(*probe.endpoint),)
        case CommandProbe():
            return ()
