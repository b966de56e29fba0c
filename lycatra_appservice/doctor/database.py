"""Findings about the database: where it lies, whether it answers, its schema, writing."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from lycatra_appservice.db.migrate import UpgradableDatabase, load_migrations, read_schema
from lycatra_appservice.db.mounts import refuse_shared_mount
from lycatra_appservice.db.open import open_database
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.doctor.findings import Finding, error, ok
from lycatra_appservice.errors import SettingsError, StoreUnavailableError
from lycatra_appservice.settings import DatabaseSettings

_REACHED: Final = "database.reachable"
_SCHEMA: Final = "database.schema"
_WRITING: Final = "database.writable"
_TRIAL: Final = parse_statement("doctor_trial", "CREATE TABLE lycatra_doctor_trial (n integer)")
_WHY: Final = "Lycatra stores every message before it acknowledges it, and does not start without"


class _UndoneError(Exception):
    """Rolls the trial back."""


async def check_database(settings: DatabaseSettings) -> Sequence[Finding]:
    """Look at it as the service would use it; nothing is changed, no file is made."""
    file = settings.sqlite_file
    if file is not None:
        problem = _misplaced(file, settings)
        if problem is not None:
            return [problem]
        if not file.exists():
            return [_not_yet(file)]
    try:
        opened = await open_database(settings.url.get_secret_value(), pool_size=2)
    except StoreUnavailableError as failed:
        return [_unreachable(failed)]
    try:
        return [await _schema(opened.database), await _writing(opened.database)]
    except StoreUnavailableError as failed:
        return [_unreachable(failed)]
    finally:
        await opened.database.close()


def _misplaced(file: Path, settings: DatabaseSettings) -> Finding | None:
    if settings.allow_shared_mount:
        return None
    try:
        refuse_shared_mount(file)
    except SettingsError as refused:
        return error(
            _REACHED,
            refused.problems[0],
            why="SQLite needs locks that only one computer's own disk gives",
            fix="database.url: a file on a named volume or local disk, or Postgres",
        )
    return None


def _not_yet(file: Path) -> Finding:
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if os.access(folder, os.W_OK | os.X_OK):
        return ok(_REACHED, f"there is none yet; the first start makes {file}")
    return error(
        _REACHED,
        f"{file} cannot be made: {folder} is not writable for this user",
        why=_WHY,
        fix="the owner of that folder, or database.url",
    )


def _unreachable(failed: StoreUnavailableError) -> Finding:
    return error(
        _REACHED,
        f"the database does not answer: {failed}",
        why=_WHY,
        fix="database.url, and whether the database runs and lets this user in",
    )


async def _schema(database: UpgradableDatabase) -> Finding:
    schema, ours = await read_schema(database), len(load_migrations(database.dialect))
    if schema.compat > ours:
        return error(
            _SCHEMA,
            f"it was changed by a newer Lycatra (schema {schema.version}, this one has {ours})",
            why="this version cannot read it any more",
            fix="install the newer Lycatra again",
        )
    if schema.version < ours:
        return ok(_SCHEMA, f"schema {schema.version}; the next start brings it to {ours}")
    return ok(_SCHEMA, f"{database.dialect} with schema {schema.version}")


async def _writing(database: UpgradableDatabase) -> Finding:
    try:
        await _write_and_undo(database)
    except StoreUnavailableError as failed:
        return error(
            _WRITING,
            f"it can be read and not written: {failed}",
            why=_WHY,
            fix="the rights of the database's user (a file: of its folder, too), or a full disk",
        )
    return ok(_WRITING, "it can be written")


async def _write_and_undo(database: UpgradableDatabase) -> None:
    with suppress(_UndoneError):
        async with database.transaction() as connection:
            await connection.execute(_TRIAL)
            raise _UndoneError
