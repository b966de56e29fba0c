"""The steps of `lycatra uninstall`; repeating them does no harm."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from lycatra_appservice.cli.command import CommandError, config_path, read_settings
from lycatra_appservice.doctor.ours import our_users
from lycatra_appservice.doctor.port import Holder, who_listens
from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.session import homeserver_session
from lycatra_appservice.matrix.setup_client import SetupClient
from lycatra_appservice.model import UserID
from lycatra_appservice.settings import DatabaseSettings, Settings
from lycatra_appservice.setup.answers import KEY_FILE
from lycatra_appservice.setup.removal import Leaving, Removal, earlier_users

_NOT_KNOWN = (
    "Synapse does not take Lycatra's as_token, so its users cannot be removed from here: name "
    "the registration in homeserver.yaml once more and restart Synapse, or deactivate the users "
    "with Synapse's admin API"
)
_REVOCABLE = "A later installation with the same bot.localpart may use these accounts again."


def uninstall(arguments: Namespace) -> int:
    """Look, tell, ask, do; returns the exit code. Raises LycatraError when it cannot begin."""
    settings = read_settings(arguments)
    plan = asyncio.run(_plan(settings))
    print(_shown(plan, settings))
    if arguments.dry_run:
        return 0
    asyncio.run(_refuse_running(settings))
    if plan and not arguments.yes:
        _ask()
    is_complete = asyncio.run(_carry_out(settings, plan))
    print(_what_remains(arguments, settings))
    return 0 if is_complete else 1


async def _plan(settings: Settings) -> Sequence[Leaving]:
    async with _removal(settings) as removal:
        earlier = await _earlier_users(settings.database)
        try:
            return await removal.plan(earlier)
        except MatrixError as refused:
            if refused.status != HTTPStatus.UNAUTHORIZED:
                raise
            raise CommandError(_NOT_KNOWN) from refused


async def _carry_out(settings: Settings, plan: Sequence[Leaving]) -> bool:
    async with _removal(settings) as removal:
        return await removal.carry_out(plan)


async def _refuse_running(settings: Settings) -> None:
    async with homeserver_session(settings.homeserver.ca_file) as session:
        holder = await who_listens(session, settings.appservice)
    if holder in (Holder.SERVICE, Holder.STALE_SERVICE):
        raise CommandError(
            f"Lycatra still runs on port {settings.appservice.listen.port}: stop every replica "
            "first, or it makes its users anew"
        )


@asynccontextmanager
async def _removal(settings: Settings) -> AsyncIterator[Removal]:
    appservice = settings.appservice
    async with homeserver_session(settings.homeserver.ca_file) as session:
        client = SetupClient(session, settings.homeserver.url, appservice.as_token)
        yield Removal(client, our_users(settings), print)


async def _earlier_users(database: DatabaseSettings) -> Sequence[UserID]:
    try:
        return await earlier_users(database)
    except StoreUnavailableError as failed:
        print(f"The database is not there ({failed}): users of tools that are gone are left out.")
        return []


def _shown(plan: Sequence[Leaving], settings: Settings) -> str:
    if not plan:
        return f"There are no users of Lycatra on {settings.homeserver.server_name}."
    lines = [f"  {each.user_id} leaves {each.rooms_in_words}" for each in plan]
    return "\n".join(["These users leave their rooms and are deactivated:", *lines, _REVOCABLE])


def _ask() -> None:
    if not sys.stdin.isatty():
        raise CommandError("there is nobody to ask: --yes does it, --dry-run only looks")
    if input("Do it? Type yes: ").strip().lower() != "yes":
        raise CommandError("nothing was changed")


def _what_remains(arguments: Namespace, settings: Settings) -> str:
    appservice = settings.appservice
    files = "\n".join(f"       {path}" for path in _files(arguments, settings))
    return f"""
What remains to do by hand:

1. In homeserver.yaml, under app_service_config_files, remove the line with
   {appservice.registration_file.name} (or the whole key, if it was the only one)

2. Restart Synapse

3. Remove Synapse's copy of the registration, if it has one, and what is kept here:
{files}
{_database(settings.database)}"""


def _files(arguments: Namespace, settings: Settings) -> Iterator[Path]:
    config = config_path(arguments)
    if config is not None:
        yield config.absolute()
    yield settings.appservice.registration_file.absolute()
    if (settings.base_folder / KEY_FILE).exists():
        yield settings.base_folder / KEY_FILE
    file = settings.database.sqlite_file
    if file is not None:
        beside = (file.with_name(file.name + end) for end in ("", "-wal", "-shm", ".lock"))
        yield from (path.absolute() for path in beside if path.exists())


def _database(settings: DatabaseSettings) -> str:
    if settings.sqlite_file is not None:
        return ""
    name = urlsplit(settings.url.get_secret_value()).path.lstrip("/") or "lycatra"
    return f'\n4. In Postgres: DROP DATABASE "{name}"\n'
