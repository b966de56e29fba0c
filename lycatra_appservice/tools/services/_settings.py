"""What is checked and restarted: the `tools.services` section of the configuration."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

from pydantic import field_validator

from lycatra_appservice.toolkit.base import Extra, Field, Target, ToolSettings
from lycatra_appservice.tools._places import DOCKER, KUBERNETES
from lycatra_appservice.tools._probes import CommandProbe, HttpProbe, TcpProbe, targets_of
from lycatra_appservice.tools.services._restart_settings import (
    MOST_RESTARTS,
    DockerRestart,
    Restart,
)

# The name under which Lycatra reports itself.
ITSELF = "lycatra"

_MOST_CHECKS = 40  # so that one answer always holds all of them


class _Check(ToolSettings):
    """What all checks have."""

    name: Annotated[str, Field(min_length=1, max_length=60)]


class HttpCheck(HttpProbe, _Check):
    """A service that is asked by HTTP."""


class TcpCheck(TcpProbe, _Check):
    """A service that a connection is opened to."""


class CommandCheck(CommandProbe, _Check):
    """A service that a program tells of."""


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
            *(target for check in self.checks for target in targets_of(check)),
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
