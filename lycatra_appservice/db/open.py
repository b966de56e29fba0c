"""From a database URL to an opened database with its signals."""

import re
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lycatra_appservice.db.connection import Signals
from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.db.postgres import PostgresDatabase
from lycatra_appservice.db.postgres_signals import MAX_OWNER_BYTES, PostgresSignals
from lycatra_appservice.db.sqlite import SqliteDatabase
from lycatra_appservice.db.sqlite_signals import SqliteSignals
from lycatra_appservice.errors import SettingsError

_SQLITE_PREFIX = "sqlite:///"
_NOT_FOR_NAMES = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedDatabase:
    """A database and the hints about it. Whoever opened it closes `database`."""

    database: UpgradableDatabase
    signals: Signals


def new_owner_id() -> str:
    """Name this start of the process, never to be used again; fits an `application_name`.

    The host is for people who look at `pg_stat_activity`.
    """
    unique = uuid.uuid4().hex
    host = _NOT_FOR_NAMES.sub("-", socket.gethostname())
    return f"{host[: MAX_OWNER_BYTES - len(unique) - 1]}-{unique}"


async def open_database(
    url: str, *, owner: str | None = None, pool_size: int = 8
) -> OpenedDatabase:
    """Open `sqlite:///relative`, `sqlite:////absolute` or `postgresql://user@host/name`.

    Postgres may be away: nothing connects before the first use. `owner` names the process to
    other replicas, see `new_owner_id`. Raises SettingsError for any other URL and
    StoreUnavailableError for a file that cannot be opened.
    """
    path = sqlite_path(url)
    if path is not None:
        signals = SqliteSignals()
        return OpenedDatabase(database=await SqliteDatabase.open(path, signals), signals=signals)
    if urlsplit(url).scheme not in {"postgresql", "postgres"}:
        raise _not_understood()
    return OpenedDatabase(
        database=await PostgresDatabase.open(url, pool_size),
        signals=PostgresSignals(url, owner or new_owner_id()),
    )


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite URL, None for another engine's; for `WorkerLock`, too."""
    if not url.startswith("sqlite:"):
        return None
    path = url.removeprefix(_SQLITE_PREFIX)
    if path == url or path in {"", ":memory:"}:
        raise _not_understood()
    return Path(path)


def _not_understood() -> SettingsError:
    # Without the URL: there may be a password in it.
    return SettingsError(
        [
            "the database URL must be sqlite:///relative/path, sqlite:////absolute/path "
            "or postgresql://user:password@host/name"
        ]
    )
