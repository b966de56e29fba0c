"""The demo's folder: the same ports, registration and configuration as last time, or new ones."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from lycatra_appservice.demo.homeserver import HomeserverError, free_port
from lycatra_appservice.demo.model_choice import ModelChoice
from lycatra_appservice.model import JSON
from lycatra_appservice.private_file import make_private_folder, write_private

SERVER_NAME: Final = "demo.localhost"
PERSON: Final = "you"
APPROVER: Final = "approver"
RESTARTS: Final = "restarts.txt"  # a line for every restart of the imaginary service
_RESTART: Final = (
    "import datetime, sys; print(datetime.datetime.now(), file=open(sys.argv[1], 'a'))"
)
DEPLOY_LOG: Final = "deployments.jsonl"
_DEPLOYMENTS: Final = (
    ("shop", "2.2.0", 9, "Search finds words with typing errors"),
    ("user", "2.3.0", 4, "Log in with a passkey"),
    ("shop", "2.3.0", 1, "Invoices as PDF"),
)
PASSWORD: Final = "demo"  # noqa: S105 (loopback only, and printed on the screen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where everything of one demo is kept."""

    folder: Path
    homeserver_port: int
    appservice_port: int

    @property
    def config(self) -> Path:
        """The configuration of the service, an ordinary one."""
        return self.folder / "config.yaml"

    @property
    def registration(self) -> Path:
        """What Synapse reads of us."""
        return self.folder / "registration.yaml"


def prepare_ground(folder: Path) -> Ground:
    """Make the folder, or find it again; its ports stay the same so that clients find it again."""
    folder = folder.absolute()
    make_private_folder(folder)
    kept = folder / "ports.json"
    if kept.exists():
        ports = json.loads(kept.read_text(encoding="utf-8"))
    else:
        ports = {"homeserver": free_port(), "appservice": free_port()}
        write_private(kept, json.dumps(ports))
    return Ground(
        folder=folder,
        homeserver_port=ports["homeserver"],
        appservice_port=ports["appservice"],
    )


def write_files(ground: Ground, model: ModelChoice) -> None:
    """Write the configuration, and the registration by the command that everybody uses."""
    write_private(ground.config, json.dumps(_config(ground, model), indent=2))
    made = subprocess.run(
        [sys.executable, "-m", "lycatra_appservice", "registration", "-c", str(ground.config)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        said = made.stderr.strip().removeprefix("lycatra: ")
        raise HomeserverError(f"The demo's configuration cannot be used: {said}")


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


def _config(ground: Ground, model: ModelChoice) -> Mapping[str, JSON]:
    """JSON is YAML; the example configuration is the one with explanations."""
    homeserver = f"http://127.0.0.1:{ground.homeserver_port}"
    return {
        "homeserver": {"url": homeserver, "server_name": SERVER_NAME},
        "appservice": {
            "url": f"http://127.0.0.1:{ground.appservice_port}",
            "listen": {"host": "127.0.0.1", "port": ground.appservice_port},
            "registration_file": "registration.yaml",
        },
        "database": {"url": "sqlite:///lycatra.db"},
        "model": {"base_url": model.base_url, "model": model.model, "api_key": model.api_key},
        "access": {
            "admin": [f"@{PERSON}:{SERVER_NAME}"],
            "operator": [f"@{APPROVER}:{SERVER_NAME}"],
        },
        "tools": {
            "updates": {
                "sources": [
                    {"name": "demo", "kind": "deploy_log", "path": DEPLOY_LOG},
                    {"name": "lycatra", "kind": "changelog", "service": "lycatra"},
                ]
            },
            "services": {
                "checks": [
                    {
                        "name": "synapse",
                        "kind": "http",
                        "url": f"{homeserver}/health",
                    }
                ],
                "restarts": [
                    {
                        "service": "web",
                        "kind": "command",
                        "argv": [sys.executable, "-c", _RESTART, RESTARTS],
                        "shown": "restart web",
                    }
                ],
            },
        },
        "log": {"level": "INFO"},
    }
