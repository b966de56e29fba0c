"""What the person has to do to Synapse, to the letter, for each way in which Synapse runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lycatra_appservice.setup.answers import Place

_HOST_OF_DOCKER: Final = "host.docker.internal"
_DEBIAN: Final = "/etc/matrix-synapse/lycatra.yaml"
_DOCKER: Final = "/data/lycatra.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the instructions depend on."""

    place: Place
    registration: Path
    appservice_url: str
    is_debian: bool  # Synapse's package with its folder and its user
    in_container: bool  # we are in one ourselves
    container: str  # the name of Synapse's


def instructions(ground: Ground) -> str:
    """Return the steps, numbered; the last one is the restart."""
    steps = [
        *_copying(ground),
        _naming(_seen_by_synapse(ground)),
        *_host(ground),
        _restart(ground),
    ]
    numbered = (f"{number}. {step}" for number, step in enumerate(steps, start=1))
    return "\n\n".join(["Now Synapse has to be told:", *numbered])


def _copying(ground: Ground) -> Iterator[str]:
    """How the file gets to where Synapse, running as its own user, can read it."""
    file = ground.registration
    if ground.in_container:
        yield (
            f"Bring {file} into Synapse's container as {_DOCKER}; docs/DOCKER.md has the command"
        )
    elif ground.place is Place.DOCKER:
        yield (
            "Copy the registration into Synapse's container, readable by its user only:\n"
            + _code(
                f"docker exec -i -u 991:991 {ground.container} "
                f"sh -c 'umask 077; cat > {_DOCKER}' < {file}"
            )
        )
    elif ground.place is Place.HERE and ground.is_debian:
        yield "Copy the registration to Synapse, readable by its user only:\n" + _code(
            f"sudo install -m 0600 -o matrix-synapse {file} {_DEBIAN}"
        )
    elif ground.place is Place.ELSEWHERE:
        yield (
            f"Copy {file} to the computer that Synapse runs on, "
            "readable by Synapse's user only: it holds two secrets"
        )


def _seen_by_synapse(ground: Ground) -> str:
    if ground.place is Place.DOCKER:
        return _DOCKER
    if ground.place is Place.ELSEWHERE:
        return f"/where/you/put/{ground.registration.name}"
    return _DEBIAN if ground.is_debian else str(ground.registration)


def _naming(path: str) -> str:
    return (
        "In homeserver.yaml (if app_service_config_files is there already, "
        "only the second line, below the others):\n"
        + _code("app_service_config_files:", f"  - {path}")
    )


def _host(ground: Ground) -> Iterator[str]:
    """On Linux a container knows the computer it runs on by this name only if it is told."""
    if _needs_host(ground):
        yield (
            "On Linux, in Synapse's docker-compose.yml (Docker Desktop needs nothing):\n"
            + _code(
                "services:",
                f"  {ground.container}:",
                f'    extra_hosts: ["{_HOST_OF_DOCKER}:host-gateway"]',
            )
        )


def _needs_host(ground: Ground) -> bool:
    return urlsplit(ground.appservice_url).hostname == _HOST_OF_DOCKER


def _restart(ground: Ground) -> str:
    """How to restart; a container that was given another host has to be made anew."""
    words = "Restart Synapse, which reads all this only when it starts:\n"
    if ground.place is Place.DOCKER:
        if _needs_host(ground):
            return words + _code(f"docker compose up -d --force-recreate {ground.container}")
        return words + _code(f"docker restart {ground.container}")
    if ground.place is Place.HERE and ground.is_debian:
        return words + _code("sudo systemctl restart matrix-synapse")
    return words + _code("sudo systemctl restart matrix-synapse    # or as you started it")


def _code(*lines: str) -> str:
    return "\n".join(_indented(lines))


def _indented(lines: Sequence[str]) -> Iterator[str]:
    yield ""
    for line in lines:
        yield f"       {line}"
