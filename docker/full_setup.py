"""What the profile `full` of docker-compose.yml writes before its first start, and never again.

Each folder is a volume: `config` for Lycatra, `registration` for Lycatra and Synapse, `synapse`
for Synapse, `database` for Postgres. Runs as Lycatra's user with Synapse's group, so that either
can read what it is given and neither has to run as root.
"""

import json
import os
import secrets
import sys
from base64 import b64encode
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from lycatra_appservice.cli import main as lycatra
from lycatra_appservice.private_file import write_private

_OWNER_ONLY = 0o600
_GROUP_MAY_READ = 0o640


@dataclass(frozen=True, slots=True, kw_only=True)
class Passwords:
    """Of the three roles in Postgres."""

    postgres: str = field(repr=False)
    synapse: str = field(repr=False)
    lycatra: str = field(repr=False)


def set_up(root: Path, server_name: str, public_url: str) -> int:
    """Write what is missing below `root` and return an exit code."""
    kept = _server_name_in(root / "synapse/homeserver.yaml")
    if kept not in (None, server_name):
        sys.stderr.write(
            f"This Synapse is {kept}, and a homeserver cannot change its name: set "
            f"LYCATRA_HOMESERVER__SERVER_NAME={kept}, or begin anew by removing the volumes "
            "(docker compose --profile full down --volumes deletes every message)\n"
        )
        return 1
    passwords = _passwords(root / "database/passwords.json")
    # homeserver.yaml is the last of Synapse's: its presence is what says that all is there.
    _write_new(root / "database/postgres-password", passwords.postgres, _GROUP_MAY_READ)
    _write_new(root / "database/databases.sql", _databases(passwords), _GROUP_MAY_READ)
    _write_new(
        root / "config/database-url",
        f"postgresql://lycatra:{passwords.lycatra}@postgres/lycatra",
        _OWNER_ONLY,
    )
    _write_new(root / "config/config.yaml", _text(_lycatra_config(server_name)), _OWNER_ONLY)
    _write_new(root / "synapse/signing.key", _signing_key(), _GROUP_MAY_READ)
    _write_new(root / "synapse/log.yaml", _text(_log_config()), _GROUP_MAY_READ)
    _write_new(
        root / "synapse/homeserver.yaml",
        _text(_homeserver(server_name, public_url, passwords.synapse)),
        _GROUP_MAY_READ,
    )
    return _register(root / "config/config.yaml")


def _register(config: Path) -> int:
    # What it says to do next is for people with a Synapse of their own; here it is done already.
    with redirect_stdout(StringIO()):
        code = lycatra(["registration", "-c", str(config), "--mode", f"{_GROUP_MAY_READ:04o}"])
    if code == 0:
        sys.stdout.write("Passwords, keys, configurations and registration are there.\n")
    return code


def _server_name_in(path: Path) -> str | None:
    if not path.exists():
        return None
    # What we write is JSON. A file that somebody has rewritten as YAML is their own matter.
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["server_name"])
    except (ValueError, KeyError, TypeError):
        return None


def _passwords(path: Path) -> Passwords:
    """Made once, and before everything that repeats them: an interrupted run goes on."""
    new = {name: secrets.token_urlsafe(32) for name in ("postgres", "synapse", "lycatra")}
    _write_new(path, _text(new), _GROUP_MAY_READ)
    return Passwords(**json.loads(path.read_text(encoding="utf-8")))


def _write_new(path: Path, text: str, mode: int) -> None:
    if not path.exists():
        write_private(path, text, mode=mode)
        sys.stdout.write(f"{path} is written.\n")


def _text(value: Mapping[str, Any]) -> str:
    """JSON, which is YAML, too."""
    return json.dumps(value, indent=2) + "\n"


def _databases(passwords: Passwords) -> str:
    # The passwords are URL-safe base64, so nothing in them has to be quoted.
    return "".join(
        f"CREATE ROLE {role} LOGIN PASSWORD '{password}';\n"
        f"CREATE DATABASE {role} OWNER {role} TEMPLATE template0 ENCODING 'UTF8' "
        "LC_COLLATE 'C' LC_CTYPE 'C';\n"
        for role, password in (("synapse", passwords.synapse), ("lycatra", passwords.lycatra))
    )


def _lycatra_config(server_name: str) -> dict[str, Any]:
    return {
        "homeserver": {"url": "http://synapse:8008", "server_name": server_name},
        "appservice": {
            "url": "http://lycatra:8080",
            "registration_file": "../registration/lycatra.yaml",
        },
        "database": {"url_file": "database-url"},
    }


def _signing_key() -> str:
    seed = b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return f"ed25519 a_{secrets.token_hex(2)} {seed}\n"


def _homeserver(server_name: str, public_url: str, password: str) -> dict[str, Any]:
    """Closed: nobody registers by themselves, and no other homeserver is talked to."""
    return {
        "server_name": server_name,
        "public_baseurl": public_url,
        "listeners": [
            {
                "port": 8008,
                "type": "http",
                "tls": False,
                "bind_addresses": ["0.0.0.0"],  # noqa: S104 (inside a container)
                "x_forwarded": True,
                "resources": [{"names": ["client"], "compress": False}],
            }
        ],
        "database": {
            "name": "psycopg2",
            "args": {
                "host": "postgres",
                "dbname": "synapse",
                "user": "synapse",
                "password": password,
                "cp_min": 2,
                "cp_max": 10,
            },
        },
        "log_config": "/data/log.yaml",
        "media_store_path": "/data/media",
        "signing_key_path": "/data/signing.key",
        "registration_shared_secret": secrets.token_urlsafe(32),
        "macaroon_secret_key": secrets.token_urlsafe(32),
        "form_secret": secrets.token_urlsafe(32),
        "enable_registration": False,
        "report_stats": False,
        "federation_domain_whitelist": [],
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "app_service_config_files": ["/registration/lycatra.yaml"],
    }


def _log_config() -> dict[str, Any]:
    line = "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": line}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "WARNING", "handlers": ["console"]},
    }


if __name__ == "__main__":
    raise SystemExit(
        set_up(
            Path(sys.argv[1] if len(sys.argv) > 1 else "/"),
            os.environ["LYCATRA_HOMESERVER__SERVER_NAME"],
            os.environ["SYNAPSE_PUBLIC_URL"],
        )
    )
