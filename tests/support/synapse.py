"""A real Synapse for the tests, from the environment that the Makefile makes."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lycatra_appservice.demo.homeserver import Homeserver, HomeserverSettings, free_port
from lycatra_appservice.model import JSON

__all__ = ["PYTHON_VARIABLE", "free_port", "running_synapse", "synapse_python", "synapse_settings"]

PYTHON_VARIABLE = "LYCATRA_SYNAPSE_PYTHON"
SERVER_NAME = "hs.test"
_REPOSITORY = Path(__file__).resolve().parents[2]


def synapse_python() -> Path:
    """The interpreter that has Synapse; without one the test is skipped, or fails under CI."""
    named = os.environ.get(PYTHON_VARIABLE)
    if named:
        if not Path(named).exists():
            pytest.fail(f"{PYTHON_VARIABLE} names {named}, which does not exist")
        return Path(named)
    made = _REPOSITORY / ".synapse" / "bin" / "python"
    if made.exists():
        return made
    reason = f"no Synapse: set {PYTHON_VARIABLE}, or let `make test` set up .synapse"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; a CI run must not skip its tests")
    pytest.skip(reason)


def synapse_settings(
    folder: Path,
    *,
    registrations: Sequence[Path] = (),
    port: int | None = None,
    server_name: str = SERVER_NAME,
    postgres: Mapping[str, str | int] | None = None,
    experimental_features: bool = False,
    overrides: Mapping[str, JSON] | None = None,
) -> HomeserverSettings:
    """Settings of a Synapse in this folder, on a free port if none is given."""
    return HomeserverSettings(
        folder=folder,
        port=free_port() if port is None else port,
        python=synapse_python(),
        server_name=server_name,
        registrations=registrations,
        postgres=postgres,
        experimental_features=experimental_features,
        overrides=overrides or {},
    )


@asynccontextmanager
async def running_synapse(
    *,
    registrations: Sequence[Path] = (),
    folder: Path | None = None,
    port: int | None = None,
    server_name: str = SERVER_NAME,
    postgres: Mapping[str, str | int] | None = None,
    experimental_features: bool = False,
    overrides: Mapping[str, JSON] | None = None,
) -> AsyncIterator[Homeserver]:
    """A Synapse that answers; gone at the end, with its folder unless that was given.

    The folder is directly under the system's temporary folder: pytest's own may be so deep that
    a socket path in it is too long, and stays behind. `overrides` are keys of homeserver.yaml.
    """
    place: AbstractContextManager[str] = (
        TemporaryDirectory(prefix="lycatra-synapse-", ignore_cleanup_errors=True)
        if folder is None
        else nullcontext(str(folder))
    )
    with place as name:
        settings = synapse_settings(
            Path(name),
            registrations=registrations,
            port=port,
            server_name=server_name,
            postgres=postgres,
            experimental_features=experimental_features,
            overrides=overrides,
        )
        async with Homeserver(settings) as homeserver:
            yield homeserver
