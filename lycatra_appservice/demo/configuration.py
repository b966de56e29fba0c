"""The configuration of the demo's service: an ordinary one, for a loopback homeserver."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from lycatra_appservice.demo import web
from lycatra_appservice.demo.ground import (
    APPROVER,
    DEPLOY_LOG,
    ENCRYPTION_SECRET,
    PERSON,
    RESTARTS,
    SERVER_NAME,
    Ground,
)
from lycatra_appservice.demo.homeserver import HomeserverError
from lycatra_appservice.demo.model_choice import ModelChoice
from lycatra_appservice.demo.release_server import REPOSITORY
from lycatra_appservice.model import JSON
from lycatra_appservice.private_file import write_private

_RESTART: Final = (
    "import datetime, sys; print(datetime.datetime.now(), file=open(sys.argv[1], 'a'))"
)
_ENCRYPTED: Final = {"encryption": {"mode": "allow", "secret_file": ENCRYPTION_SECRET}}


def write_files(ground: Ground, model: ModelChoice) -> None:
    """Write the configuration, and the registration by the command that everybody uses."""
    write_private(ground.config, json.dumps(_configuration(ground, model), indent=2))
    made = subprocess.run(
        [sys.executable, "-m", "lycatra_appservice", "registration", "-c", str(ground.config)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        said = made.stderr.strip().removeprefix("lycatra: ")
        raise HomeserverError(f"The demo's configuration cannot be used: {said}")


def _configuration(ground: Ground, model: ModelChoice) -> Mapping[str, JSON]:
    """JSON is YAML; the example configuration is the one with explanations."""
    return {
        "homeserver": {"url": _loopback(ground.homeserver_port), "server_name": SERVER_NAME},
        "appservice": {
            "url": _loopback(ground.appservice_port),
            "listen": {"host": "127.0.0.1", "port": ground.appservice_port},
            "registration_file": "registration.yaml",
        },
        "database": {"url": "sqlite:///lycatra.db"},
        "model": {"base_url": model.base_url, "model": model.model, "api_key": model.api_key},
        "access": {
            "admin": [f"@{PERSON}:{SERVER_NAME}"],
            "operator": [f"@{APPROVER}:{SERVER_NAME}"],
        },
        "tools": {"updates": _updates(ground), "services": _services(ground)},
        "log": {"level": "INFO"},
        **(_ENCRYPTED if ground.encrypted else {}),
    }


def _updates(ground: Ground) -> Mapping[str, JSON]:
    return {
        "sources": [
            {"name": "demo", "kind": "deploy_log", "path": DEPLOY_LOG},
            {"name": "lycatra", "kind": "changelog", "service": "lycatra"},
        ],
        "watch": [
            {
                "name": "web",
                "kind": "github",
                "base_url": _loopback(ground.releases_port),
                "repository": REPOSITORY,
                "every": "1m",
            }
        ],
        "hooks": {"github": {"secret": ground.hook_secret}},
        "deploy": [
            {
                "service": "web",
                "kind": "command",
                "apply": [sys.executable, web.__file__, "bring", str(ground.folder), "{version}"],
                "current": [sys.executable, web.__file__, "current", str(ground.web_port)],
                "shown": "bring web",
                "repeatable": True,
                "health": {"kind": "http", "url": f"{_loopback(ground.web_port)}/health"},
                "health_seconds": 5,
                "watch_seconds": 2,
                "look_seconds": 0.2,
            }
        ],
    }


def _services(ground: Ground) -> Mapping[str, JSON]:
    health = f"{_loopback(ground.homeserver_port)}/health"
    return {
        "checks": [
            {"name": "synapse", "kind": "http", "url": health},
            {"name": "web", "kind": "http", "url": f"{_loopback(ground.web_port)}/health"},
        ],
        "restarts": [
            {
                "service": "web",
                "kind": "command",
                "argv": [sys.executable, "-c", _RESTART, RESTARTS],
                "shown": "restart web",
            }
        ],
    }


def _loopback(port: int) -> str:
    return f"http://127.0.0.1:{port}"
