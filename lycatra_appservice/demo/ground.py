"""The demo's folder: the same ports, registration and configuration as last time, or new ones."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from lycatra_appservice.demo.homeserver import free_port
from lycatra_appservice.private_file import make_private_folder, write_private

SERVER_NAME: Final = "demo.localhost"
PERSON: Final = "you"
APPROVER: Final = "approver"
RESTARTS: Final = "restarts.txt"  # a line for every restart of the imaginary service
DEPLOY_LOG: Final = "deployments.jsonl"
ENCRYPTION_SECRET: Final = "encryption-secret.txt"  # noqa: S105 (the name of its file)
_DEPLOYMENTS: Final = (
    ("shop", "2.2.0", 9, "Search finds words with typing errors"),
    ("user", "2.3.0", 4, "Log in with a passkey"),
    ("shop", "2.3.0", 1, "Invoices as PDF"),
)
_PORTS: Final = ("homeserver", "appservice", "web", "releases")
PASSWORD: Final = "demo"  # noqa: S105 (loopback only, and printed on the screen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where everything of one demo is kept."""

    folder: Path
    homeserver_port: int
    appservice_port: int
    web_port: int  # of the imaginary service
    releases_port: int  # of what stands for GitHub
    hook_secret: str = field(repr=False)
    encrypted: bool = False

    @property
    def config(self) -> Path:
        """The configuration of the service, an ordinary one."""
        return self.folder / "config.yaml"

    @property
    def registration(self) -> Path:
        """What Synapse reads of us."""
        return self.folder / "registration.yaml"


def prepare_ground(folder: Path, *, encrypted: bool = False) -> Ground:
    """Make the folder, or find it again; its ports stay the same so that clients find it again."""
    folder = folder.absolute()
    make_private_folder(folder)
    if encrypted:
        _kept_secret(folder / ENCRYPTION_SECRET)
    ports = _kept_ports(folder / "ports.json")
    return Ground(
        folder=folder,
        homeserver_port=ports["homeserver"],
        appservice_port=ports["appservice"],
        web_port=ports["web"],
        releases_port=ports["releases"],
        hook_secret=_kept_secret(folder / "hook-secret.txt"),
        encrypted=encrypted,
    )


def _kept_ports(file: Path) -> dict[str, int]:
    """The same as last time; the folder of an older demo is given those that it lacks."""
    old = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    ports: dict[str, int] = {name: free_port() for name in _PORTS} | old
    if ports != old:
        write_private(file, json.dumps(ports))
    return ports


def _kept_secret(file: Path) -> str:
    if not file.exists():
        write_private(file, secrets.token_hex())
    return file.read_text(encoding="utf-8")


def write_deploy_log(ground: Ground, today: date) -> None:
    """Give the demo something to tell: what an imaginary team deployed in the last days."""
    path = ground.folder / DEPLOY_LOG
    if path.exists():
        return
    lines = [
        {
            "service": service,
            "version": version,
            "date": (today - timedelta(days=days)).isoformat(),
            "title": title,
        }
        for service, version, days, title in _DEPLOYMENTS
    ]
    write_private(path, "".join(json.dumps(line) + "\n" for line in lines))
