"""`lycatra migrate`: brings the database to this program's schema, or tells where it stands."""

import asyncio
from argparse import ArgumentParser, Namespace

from lycatra_appservice.cli.command import (
    Command,
    add_config_argument,
    read_written_settings,
    refuse_shared_mount,
)
from lycatra_appservice.private_file import make_private_folder
from lycatra_appservice.settings import DatabaseSettings


def _add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument("--check", action="store_true", help="change nothing, tell the versions")


def _run(arguments: Namespace) -> int:
    database = read_written_settings(arguments).database
    refuse_shared_mount(database)
    file = database.sqlite_file
    if file is not None and not file.exists():
        if arguments.check:
            print(f"there is no database yet at {file}")
            return 0
        make_private_folder(file.parent)
    print(asyncio.run(_migrate(database, only_check=arguments.check)))
    return 0


async def _migrate(settings: DatabaseSettings, *, only_check: bool) -> str:
    # Here, so that the other commands start without the drivers of both databases.
    from lycatra_appservice.db.migrate import load_migrations, migrate, read_schema
    from lycatra_appservice.db.open import open_database

    opened = await open_database(settings.url.get_secret_value(), pool_size=settings.pool_size)
    try:
        if only_check:
            schema = await read_schema(opened.database)
            ours = len(load_migrations(opened.database.dialect))
            return (
                f"the database has schema {schema.version} (compat {schema.compat}), "
                f"this program has schema {ours}"
            )
        return f"the database has schema {await migrate(opened.database)}"
    finally:
        await opened.database.close()


MIGRATE = Command(
    name="migrate",
    summary="Bring the database up to date; `lycatra run` does it by itself.",
    add_arguments=_add_arguments,
    run=_run,
)
