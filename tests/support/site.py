"""A real Synapse that knows us by a registration made with our own command."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lycatra_appservice.demo.homeserver import Homeserver, free_port
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON
from lycatra_appservice.registration import read_registration, render
from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.own.found import FoundTools
from tests.support.lycatra import lycatra_config
from tests.support.synapse import SERVER_NAME, synapse_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One Synapse with our registration; tests on it make rooms and people of their own."""

    homeserver: Homeserver
    registration: Path
    registration_config: Path  # what `lycatra registration -c` takes
    appservice_port: int  # where the registration says that we listen: the proxy
    users: VirtualUsers

    def rotate_tokens(self) -> None:
        """Make new tokens as an operator does; Synapse reads them at its next start."""
        _make_registration(self.registration_config, "--rotate")


@contextmanager
def running_site(
    *,
    overrides: Mapping[str, JSON] | None = None,
    registration_keys: Mapping[str, JSON] | None = None,
) -> Iterator[Site]:
    """A Synapse that runs until the block ends.

    `overrides` are keys of homeserver.yaml, `registration_keys` of the registration.
    """
    port = free_port()
    with TemporaryDirectory(prefix="lycatra-site-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        config = _write_config(folder, port)
        _make_registration(config)
        registration = folder / "registration.yaml"
        if registration_keys:
            registration.write_text(
                render({**read_registration(registration), **registration_keys})
            )
        homeserver = Homeserver(
            synapse_settings(folder / "synapse", registrations=[registration], overrides=overrides)
        )
        _run(homeserver.start)
        try:
            yield Site(
                homeserver=homeserver,
                registration=registration,
                registration_config=config,
                appservice_port=port,
                users=VirtualUsers(server_name=SERVER_NAME, namespaces=_at_work()),
            )
        finally:
            _run(homeserver.stop)


def _at_work() -> Sequence[Namespace]:
    """Those that have work without any configuration; the others have no users."""
    sections = {each.name: each.settings() for each in discover().namespaces}
    return FoundTools(registry=discover()).at_work(sections).registry.namespaces


def _write_config(folder: Path, port: int) -> Path:
    config = lycatra_config(
        homeserver_url="http://127.0.0.1:1",
        server_name=SERVER_NAME,
        registration=folder / "registration.yaml",
        database_url="sqlite:///unused.db",
        appservice_url=f"http://127.0.0.1:{port}",
        port=port,
    )
    path = folder / "registration-config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    path.chmod(0o600)
    return path


def _make_registration(config: Path, *options: str) -> None:
    command = [sys.executable, "-m", "lycatra_appservice", "registration", "-c", str(config)]
    subprocess.run([*command, *options], check=True, capture_output=True)


def _run(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    # In a thread: the block may be entered with an event loop running, or with none.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(make())).result()
