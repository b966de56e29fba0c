"""The service's database, for commands that are typed beside it and set nothing up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lycatra_appservice.cli.command import CommandError
from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.migrate import load_migrations, read_schema
from lycatra_appservice.db.open import open_database
from lycatra_appservice.errors import SchemaTooNewError
from lycatra_appservice.settings import DatabaseSettings


@asynccontextmanager
async def existing_database(settings: DatabaseSettings) -> AsyncIterator[Database]:
    """Open it for one connection; the service may run meanwhile.

    Raises StoreUnavailableError, SchemaTooNewError, and CommandError for tables that are missing.
    """
    opened = await open_database(settings.url.get_secret_value(), pool_size=1)
    try:
        await _expect_tables(opened.database)
        yield opened.database
    finally:
        await opened.database.close()


async def _expect_tables(database: Database) -> None:
    schema = await read_schema(database)
    ours = len(load_migrations(database.dialect))
    if schema.version < ours:
        raise CommandError(
            f"the database has schema {schema.version}, this program has schema {ours}: start "
            "`lycatra run` or type `lycatra migrate` first"
        )
    if schema.compat > ours:
        raise SchemaTooNewError(
            f"the database has schema {schema.version} and needs a newer program than this one"
        )
