"""What a small, private Synapse on loopback is given to start with: its settings and secrets."""

import json
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON
from lycatra_appservice.private_file import make_private_folder, write_private

LOOPBACK = "127.0.0.1"


class HomeserverError(LycatraError):
    """The homeserver could not be set up or started; the message ends with its own last words."""

    said = "The demo's Synapse did not start. Its log says why."


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeserverSettings:
    """One Synapse of our own: where it lives and how strict it is.

    `folder` belongs to this Synapse alone; `server_name` cannot change once it has users.
    `python` is the interpreter of the environment that has matrix-synapse, not ours.
    """

    folder: Path
    port: int
    python: Path
    server_name: str = "demo.localhost"
    registrations: Sequence[Path] = ()
    # Arguments of psycopg2 (user, host, port, dbname); None: SQLite in the folder. The database
    # must be made from template0 with UTF8 and the C locale, or Synapse refuses it.
    postgres: Mapping[str, str | int] | None = None
    # Synapse's switches that an encrypted application service needs.
    experimental_features: bool = False
    bcrypt_rounds: int = 4  # Synapse's lowest: a throw-away server's people should not wait
    rate_per_second: float = 10_000
    rate_burst: int = 10_000
    # Keys of homeserver.yaml that replace what would be written: a strict limiter, for example.
    overrides: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://{LOOPBACK}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeserverSecrets:
    """Made once per folder and kept: people, rooms and tokens outlive a restart."""

    registration_shared_secret: str = field(repr=False)
    macaroon_secret_key: str = field(repr=False)
    form_secret: str = field(repr=False)
    signing_key: str = field(repr=False)  # one line, as Synapse reads it


def write_homeserver_config(settings: HomeserverSettings) -> HomeserverSecrets:
    """Write all that Synapse reads at start into its folder; the secrets are made only once.

    The folder is made if missing, open to its owner only. Returns the secrets in use.
    """
    make_private_folder(settings.folder)
    kept = _secrets_of(settings.folder)
    write_private(settings.folder / "signing.key", kept.signing_key + "\n")
    write_private(settings.folder / "log.yaml", json.dumps(_log_config(settings.folder)))
    config = json.dumps(_homeserver_yaml(settings, kept), indent=1)
    write_private(settings.folder / "homeserver.yaml", config)
    return kept


def _secrets_of(folder: Path) -> HomeserverSecrets:
    path = folder / "secrets.json"
    if not path.exists():
        write_private(path, json.dumps(asdict(_new_secrets()), indent=1))
    try:
        return HomeserverSecrets(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise HomeserverError(
            f"{path} is damaged. Remove the folder {folder} to start with an empty homeserver."
        ) from error


def _new_secrets() -> HomeserverSecrets:
    # Synapse's own key format; writing it saves the 1.5 s of a second process (--generate-keys).
    seed = b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return HomeserverSecrets(
        registration_shared_secret=secrets.token_urlsafe(32),
        macaroon_secret_key=secrets.token_urlsafe(32),
        form_secret=secrets.token_urlsafe(32),
        signing_key=f"ed25519 a_{secrets.token_hex(2)} {seed}",
    )


def _homeserver_yaml(settings: HomeserverSettings, kept: HomeserverSecrets) -> dict[str, JSON]:
    folder = settings.folder.absolute()
    return {
        "server_name": settings.server_name,
        "public_baseurl": settings.url + "/",
        "pid_file": str(folder / "homeserver.pid"),
        "listeners": [_listener(settings.port)],
        "database": _database(settings, folder),
        "log_config": str(folder / "log.yaml"),
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
        "registration_shared_secret": kept.registration_shared_secret,
        "macaroon_secret_key": kept.macaroon_secret_key,
        "form_secret": kept.form_secret,
        "enable_registration": False,
        "report_stats": False,
        # Nothing leaves this machine: no federation, no key servers.
        "federation_domain_whitelist": [],
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "app_service_config_files": [str(path.absolute()) for path in settings.registrations],
        "bcrypt_rounds": settings.bcrypt_rounds,
        "presence": {"enabled": True},
        "enable_metrics": False,
        "experimental_features": _experimental(settings.experimental_features),
        **_limiters(settings.rate_per_second, settings.rate_burst),
        **settings.overrides,
    }


def _listener(port: int) -> JSON:
    return {
        "port": port,
        "bind_addresses": [LOOPBACK],
        "type": "http",
        "tls": False,
        "x_forwarded": False,
        "resources": [{"names": ["client", "openid"], "compress": False}],
    }


def _database(settings: HomeserverSettings, folder: Path) -> JSON:
    if settings.postgres is None:
        return {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}}
    return {"name": "psycopg2", "args": {"cp_min": 1, "cp_max": 5, **settings.postgres}}


def _experimental(switched_on: bool) -> JSON:
    names = ("msc2409_to_device_messages_enabled", "msc3202_transaction_extensions")
    return dict.fromkeys(names, switched_on)


def _limiters(per_second: float, burst: int) -> dict[str, JSON]:
    """Every limiter of this Synapse: one left out answers its clients with 429 under test."""
    limit = {"per_second": per_second, "burst_count": burst}
    alone = (
        "rc_message rc_registration rc_registration_token_validity rc_admin_redaction "
        "rc_joins_per_room rc_key_requests rc_3pid_validation rc_third_party_invite "
        "rc_media_create rc_delayed_event_mgmt rc_room_creation rc_reports rc_user_directory "
        "rc_profile"
    )
    grouped = {
        "rc_login": ("address", "account", "failed_attempts"),
        "rc_joins": ("local", "remote"),
        "rc_invites": ("per_room", "per_user", "per_issuer"),
        "rc_presence": ("per_user",),
    }
    return {
        **dict.fromkeys(alone.split(), limit),
        **{name: dict.fromkeys(parts, limit) for name, parts in grouped.items()},
        "remote_media_download_per_second": "100M",
    }


def _log_config(folder: Path) -> JSON:
    to_file = {
        "class": "logging.handlers.RotatingFileHandler",
        "formatter": "line",
        "filename": str(folder.absolute() / "homeserver.log"),
        "maxBytes": 10_000_000,
        "backupCount": 1,
    }
    line = "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": line}},
        "handlers": {"file": to_file},
        "root": {"level": "INFO", "handlers": ["file"]},
    }
