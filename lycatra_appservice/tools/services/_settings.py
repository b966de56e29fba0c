"""What is checked and restarted: the `tools.services` section of the configuration."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import ValidationInfo, field_validator

from lycatra_appservice.toolkit.base import Extra, Field, Target, ToolSettings
from lycatra_appservice.tools._places import DOCKER, KUBERNETES, InCluster, OnEngine
from lycatra_appservice.tools._probes import targets_of
from lycatra_appservice.tools.services._certificates.places import (
    WRITTEN,
    CertificatePlace,
    read_place,
)
from lycatra_appservice.tools.services._check_settings import (
    MOST_CHECKS,
    HttpCheck,
    ProbedCheck,
    ServiceCheck,
)
from lycatra_appservice.tools.services._restart_settings import MOST_RESTARTS, Restart

# The name under which Lycatra reports itself.
ITSELF = "lycatra"

_MOST_CERTIFICATES = 20


class ServicesSettings(OnEngine):
    """The checks; without any, only Lycatra itself is reported. And what may be restarted.

    `engine` is for every check and restart that names none itself. `certificates` are hosts like
    `mail.example.org:993`, beside those that checks ask by https. With `watch` everything is
    looked at each minute, and rooms that subscribed are told what was down so many times in a row.
    """

    watch: bool = True
    alert_after_looks: Annotated[int, Field(ge=1, le=30)] = 2
    checks: Annotated[tuple[ServiceCheck, ...], Field(max_length=MOST_CHECKS)] = ()
    restarts: Annotated[tuple[Restart, ...], Field(max_length=MOST_RESTARTS)] = ()
    certificates: Annotated[
        tuple[Annotated[str, Field(max_length=260, pattern=WRITTEN)], ...],
        Field(max_length=_MOST_CERTIFICATES),
    ] = ()

    @property
    def allowed_targets(self) -> Sequence[Target]:
        """The services themselves, wherever they are."""
        entries = [*self.checks, *self.restarts]
        engines = [each.target for each in entries if isinstance(each, OnEngine)]
        return [
            *(each for check in self.checks for each in _asked_by(check)),
            *(engine for engine in engines if engine is not None),
            *(Target.of_host(each.host, each.port) for each in self.certificate_places),
        ]

    @property
    def needed_extras(self) -> Sequence[Extra]:
        """Those of the kinds that are configured."""
        entries = [*self.checks, *self.restarts]
        return [
            *([DOCKER] if any(isinstance(each, OnEngine) for each in entries) else []),
            *([KUBERNETES] if any(isinstance(each, InCluster) for each in entries) else []),
        ]

    @property
    def certificate_places(self) -> Sequence[CertificatePlace]:
        """Where a certificate is expected, each place once."""
        asked = [each.certificate_place for each in self.checks if isinstance(each, HttpCheck)]
        found = [
            *(each for each in asked if each is not None),
            *(read_place(each) for each in self.certificates),
        ]
        return list(dict.fromkeys(found))

    def certificate_place_of(self, service: str) -> CertificatePlace | None:
        """That of a check by its name, if that is asked by https."""
        for each in self.checks:
            if isinstance(each, HttpCheck) and each.name.casefold() == service.casefold():
                return each.certificate_place
        return None

    @field_validator("checks", "restarts")
    @classmethod
    def _are_on_the_engine(
        cls, entries: tuple[ToolSettings, ...], info: ValidationInfo
    ) -> tuple[ToolSettings, ...]:
        engine = info.data.get("engine")  # none where that itself has a mistake
        return tuple(each if engine is None else _on(engine, each) for each in entries)

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

    @field_validator("certificates")
    @classmethod
    def _are_places(cls, certificates: tuple[str, ...]) -> tuple[str, ...]:
        for each in certificates:
            read_place(each)
        return certificates


def _asked_by(check: ServiceCheck) -> Sequence[Target]:
    return targets_of(check) if isinstance(check, ProbedCheck) else ()


def _on(engine: str, entry: ToolSettings) -> ToolSettings:
    if isinstance(entry, OnEngine) and "engine" not in entry.model_fields_set:
        return entry.model_copy(update={"engine": engine})
    return entry
