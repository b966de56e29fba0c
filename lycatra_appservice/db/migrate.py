"""Bring the database to this program's schema, safely beside other replicas of any version.

A program of schema N starts on every database whose `compat` is at most N, also on a newer one:
that is what makes a rollback possible. So a migration only adds (nullable or defaulted columns,
tables, indexes); what the last release still reads goes one release later, raising `compat`.
"""

import logging
import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Protocol

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Dialect, Statement, parse_statement
from lycatra_appservice.errors import SchemaTooNewError

logger = logging.getLogger(__name__)

_FILE = re.compile(r"(?P<number>\d{4})_\w+(?:\.(?P<dialect>postgres|sqlite))?\.sql")
_COMPAT = re.compile(r"^--\s*compat:\s*(\d+)\s*$", re.MULTILINE)

_CREATE = parse_statement(
    "create_schema_version",
    "CREATE TABLE IF NOT EXISTS schema_version"
    " (version integer PRIMARY KEY, compat integer NOT NULL)",
)
_EXISTS = {
    Dialect.POSTGRES: parse_statement(
        "schema_version_exists", "SELECT 1 WHERE to_regclass('schema_version') IS NOT NULL"
    ),
    Dialect.SQLITE: parse_statement(
        "schema_version_exists", "SELECT 1 FROM sqlite_master WHERE name = 'schema_version'"
    ),
}
_READ = parse_statement(
    "read_schema_version",
    "SELECT coalesce(max(version), 0) AS version, coalesce(max(compat), 0) AS compat"
    " FROM schema_version",
)
_RECORD = parse_statement(
    "record_schema_version",
    "INSERT INTO schema_version(version, compat) VALUES (:version, :compat)",
)


class UpgradeConnection(Connection, Protocol):
    """A transaction that may also run whole scripts."""

    async def run_script(self, script: str) -> None:
        """Run several statements without parameters."""


class UpgradableDatabase(Database, Protocol):
    """A database that can be migrated."""

    def upgrade(self) -> AbstractAsyncContextManager[UpgradeConnection]:
        """Begin a transaction that no other upgrade of this database overlaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step from `version - 1` to `version`; `compat` is the oldest schema that can use it."""

    version: int
    compat: int
    script: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Where a database stands; 0 and 0 when it is empty."""

    version: int
    compat: int


async def migrate(database: UpgradableDatabase, folder: Traversable | None = None) -> int:
    """Run what is missing, each file in a transaction of its own; return the schema version.

    The returned version is above ours when a newer program has migrated before. Raises
    SchemaTooNewError when that one left nothing for us to work with.
    """
    migrations = load_migrations(database.dialect, folder)
    schema = await read_schema(database)
    while _missing(schema, migrations):
        schema = await _step(database, migrations)
    return schema.version


async def read_schema(database: Database) -> Schema:
    """Tell where the database stands, without changing it; also for `doctor`."""
    return await _read(database, _EXISTS[database.dialect])


def load_migrations(dialect: Dialect, folder: Traversable | None = None) -> Sequence[Migration]:
    """Read the migrations of one engine in order; ours, unless a folder is given.

    Raises ValueError for a number that is missing or there twice, or a file without `compat`.
    """
    if folder is None:
        folder = resources.files("lycatra_appservice.db") / "migrations"
    found = sorted(filter(None, (_load(file, dialect) for file in folder.iterdir())), key=_number)
    numbers = [migration.version for migration in found]
    if numbers != list(range(1, len(found) + 1)):
        raise ValueError(f"the {dialect} migrations must count from 1 without a gap: {numbers}")
    return found


def _number(migration: Migration) -> int:
    return migration.version


def _load(file: Traversable, dialect: Dialect) -> Migration | None:
    match = _FILE.fullmatch(file.name)
    if match is None or match["dialect"] not in (None, dialect):
        return None
    script = file.read_text(encoding="utf-8")
    compat = _COMPAT.search(script)
    if compat is None:
        raise ValueError(f"the migration {file.name} lacks its line `-- compat: <number>`")
    return Migration(version=int(match["number"]), compat=int(compat[1]), script=script)


def _missing(schema: Schema, migrations: Sequence[Migration]) -> Sequence[Migration]:
    ours = len(migrations)
    if schema.compat > ours:
        raise SchemaTooNewError(
            f"the database has schema {schema.version} and needs a program of schema "
            f"{schema.compat} or newer, this one has {ours}: install the newer version"
        )
    return migrations[schema.version :]


async def _step(database: UpgradableDatabase, migrations: Sequence[Migration]) -> Schema:
    """Run the next migration, unless another replica has run it while we waited for it."""
    async with database.upgrade() as connection:
        await connection.execute(_CREATE)
        schema = await _read(connection, _EXISTS[database.dialect])
        missing = _missing(schema, migrations)
        if not missing:
            return schema
        migration = missing[0]
        await connection.run_script(migration.script)
        await connection.execute(_RECORD, version=migration.version, compat=migration.compat)
    logger.info("schema_migrated", extra={"schema": migration.version, "compat": migration.compat})
    return Schema(version=migration.version, compat=max(schema.compat, migration.compat))


async def _read(source: Connection | Database, exists: Statement) -> Schema:
    if await source.fetch_one(exists) is None:
        return Schema(version=0, compat=0)
    row = await source.fetch_one(_READ)
    return Schema(version=0, compat=0) if row is None else Schema(**row)
