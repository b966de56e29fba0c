"""What `lycatra token` does with the database of the service, which may run meanwhile."""

from argparse import Namespace
from datetime import timedelta

from lycatra_appservice.cli.command import CommandError
from lycatra_appservice.cli.existing_database import existing_database
from lycatra_appservice.mcp.token_wish import WrongWishError, new_wish
from lycatra_appservice.mcp.tokens import NewToken, TokenError, TokenStore
from lycatra_appservice.model import RoomID
from lycatra_appservice.settings import DatabaseSettings


async def done(settings: DatabaseSettings, arguments: Namespace) -> str:
    """Do it and return what to print. Raises CommandError."""
    async with existing_database(settings) as database:
        tokens = TokenStore(database)
        match arguments.action:
            case "new":
                return await _new(tokens, arguments)
            case "revoke":
                return await _revoke(tokens, arguments)
            case _:
                return await _list(tokens, arguments)


async def _new(tokens: TokenStore, arguments: Namespace) -> str:
    options = {"--scope": arguments.scope, "--days": arguments.days, "--room": arguments.room}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        wish = new_wish(arguments.name, given)
        new = NewToken(
            owner=arguments.owner,
            name=wish.name,
            scope=wish.scope,
            lifetime=timedelta(days=wish.days),
            room_id=None if wish.room is None else RoomID(wish.room),
        )
        return await tokens.make(new)
    except (WrongWishError, TokenError) as wrong:
        raise CommandError(wrong.user_message) from wrong


async def _revoke(tokens: TokenStore, arguments: Namespace) -> str:
    for token in await tokens.of(arguments.owner):
        if token.name == arguments.name:
            await tokens.end(token, by="operator")
            return f"{token.name} of {token.owner} is ended"
    raise CommandError(f"{arguments.owner} has no living token called {arguments.name!r}")


async def _list(tokens: TokenStore, arguments: Namespace) -> str:
    found = await (tokens.of(arguments.owner) if arguments.owner else tokens.all())
    lines = [
        f"{token.owner}\t{token.name}\t{token.scope}\tuntil {token.expires:%Y-%m-%d}"
        f"\tused {f'{token.used:%Y-%m-%d %H:%M}' if token.used else 'never'}"
        f"\t{token.room_id or ''}".rstrip()
        for token in found
    ]
    return "\n".join(lines) or "there is no living token"
