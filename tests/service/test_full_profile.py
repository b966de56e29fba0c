"""The compose profile `full` by its files: a real Postgres and a real Synapse start from them."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from lycatra_appservice.demo.homeserver import Homeserver
from tests.support.compose import REPOSITORY
from tests.support.postgres import OwnPostgresServer
from tests.support.synapse import synapse_settings

pytestmark = pytest.mark.slow


async def test_postgres_takes_the_databases_and_synapse_starts_on_its_own(
    tmp_path: Path, stoppable_postgres: OwnPostgresServer
) -> None:
    volumes = tmp_path / "volumes"
    await asyncio.to_thread(set_up, volumes)
    script = (volumes / "database/databases.sql").read_text()
    await make_databases(stoppable_postgres, script.splitlines())
    config = on_this_computer(volumes, stoppable_postgres)
    settings = synapse_settings(
        tmp_path / "synapse",
        server_name=config["server_name"],
        # Listeners are the one thing that has to be of this computer: a free port on loopback.
        overrides={name: value for name, value in config.items() if name != "listeners"},
    )
    async with Homeserver(settings) as homeserver:
        assert homeserver.is_running
    assert (volumes / "synapse/media").is_dir()


def set_up(volumes: Path) -> None:
    """Run the setup job; it needs nothing of the container but its folders."""
    environ = {n: v for n, v in os.environ.items() if not n.startswith("LYCATRA_")}
    subprocess.run(
        [sys.executable, str(REPOSITORY / "docker/full_setup.py"), str(volumes)],
        cwd=REPOSITORY,
        env={
            **environ,
            "LYCATRA_HOMESERVER__SERVER_NAME": "chat.localhost",
            "SYNAPSE_PUBLIC_URL": "http://localhost:8008/",
        },
        check=True,
        timeout=60,
    )


async def make_databases(server: OwnPostgresServer, statements: Sequence[str]) -> None:
    """Do what Postgres' image does with the script, one statement after the other."""
    connection = await asyncpg.connect(server.dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def on_this_computer(volumes: Path, server: OwnPostgresServer) -> dict[str, Any]:
    """Synapse's configuration with the places of its container replaced by ours."""
    text = (volumes / "synapse/homeserver.yaml").read_text()
    text = text.replace('"/data/', f'"{volumes}/synapse/')
    text = text.replace('"/registration/', f'"{volumes}/registration/')
    config: dict[str, Any] = json.loads(text)
    dsn = urlsplit(server.dsn)
    config["database"]["args"] |= {"host": dsn.hostname, "port": dsn.port}
    return config
