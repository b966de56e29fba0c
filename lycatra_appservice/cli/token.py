"""`lycatra token`: tokens for MCP clients, made and ended by whoever runs the service."""

import asyncio
from argparse import ArgumentParser, Namespace

from lycatra_appservice.actors import ActorKind, read_actor
from lycatra_appservice.cli.command import (
    Command,
    CommandError,
    add_config_argument,
    read_written_settings,
    refuse_shared_mount,
)


def _add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    actions = parser.add_subparsers(
        title="actions", required=True, metavar="ACTION", dest="action"
    )
    new = actions.add_parser("new", help="make one; it is printed once")
    new.add_argument("name", help="what it is for, such as laptop")
    new.add_argument("--owner", required=True, metavar="@NAME:SERVER", help="whose rights it has")
    new.add_argument("--scope", choices=("read", "operate"), default="operate")
    new.add_argument("--days", default="90", help="how long it holds, 366 at most")
    new.add_argument("--room", metavar="!ID", help="only as long as the owner is in this room")
    listing = actions.add_parser("list", help="show the living ones, without their secrets")
    listing.add_argument("--owner", metavar="@NAME:SERVER")
    revoke = actions.add_parser("revoke", help="end one")
    revoke.add_argument("name")
    revoke.add_argument("--owner", required=True, metavar="@NAME:SERVER")


def _run(arguments: Namespace) -> int:
    settings = read_written_settings(arguments)
    refuse_shared_mount(settings.database)
    if arguments.owner is not None and not _is_person(arguments.owner):
        raise CommandError(f"{arguments.owner!r} is no Matrix ID like @name:server")
    # Here, so that the other commands start without the drivers of both databases.
    from lycatra_appservice.cli.token_steps import done

    print(asyncio.run(done(settings.database, arguments)))
    return 0


def _is_person(text: str) -> bool:
    try:
        return read_actor(text).kind is ActorKind.PERSON
    except ValueError:
        return False


TOKEN = Command(
    name="token",
    summary="Make, list and end tokens for MCP clients.",
    add_arguments=_add_arguments,
    run=_run,
)
