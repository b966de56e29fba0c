"""One Synapse for all service tests; each test gets a stage on it, with its own rooms and data."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lycatra_appservice.demo.homeserver import Homeserver, free_port
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.toolkit.discovery import discover
from tests.support.lycatra import lycatra_config
from tests.support.stage import Site, Stage, open_stage
from tests.support.synapse import SERVER_NAME, synapse_settings


def write_registration(folder: Path, port: int) -> Path:
    """Write a registration by the command that everybody uses."""
    registration = folder / "registration.yaml"
    config = lycatra_config(
        homeserver_url="http://127.0.0.1:1",
        server_name=SERVER_NAME,
        registration=registration,
        database_url="sqlite:///unused.db",
        appservice_url=f"http://127.0.0.1:{port}",
        port=port,
    )
    path = folder / "registration-config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    path.chmod(0o600)
    command = [sys.executable, "-m", "lycatra_appservice", "registration", "-c", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return registration


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The shared Synapse; a test that restarts it leaves it running."""
    port = free_port()
    with TemporaryDirectory(prefix="lycatra-site-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        registration = write_registration(folder, port)
        homeserver = Homeserver(synapse_settings(folder / "synapse", registrations=[registration]))
        asyncio.run(homeserver.start())
        yield Site(
            homeserver=homeserver,
            registration=registration,
            appservice_port=port,
            users=VirtualUsers(server_name=SERVER_NAME, namespaces=discover().namespaces),
        )
        asyncio.run(homeserver.stop())


@pytest.fixture
async def stage(site: Site, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of this test's own."""
    async with open_stage(site, tmp_path) as opened:
        yield opened
