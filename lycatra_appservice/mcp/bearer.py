"""Who is behind a request, once that is known."""

from dataclasses import dataclass
from typing import Any, Final, cast

from aiohttp import web
from mcp.server.context import ServerRequestContext

from lycatra_appservice.model import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """The person for whom a token speaks, with the rights that it gives. `name` is the token's."""

    caller: Caller
    token_id: str
    name: str

    @property
    def principal(self) -> str:
        """What sessions and states are bound to: not even another token of the person has them."""
        return f"{self.caller.user_id} {self.token_id}"


BEARER: Final = web.RequestKey("bearer", Bearer)


def bearer_of(context: ServerRequestContext[Any, Any]) -> Bearer:
    """Whose request a handler answers."""
    request: web.Request = cast("web.Request", context.request)  # as our transport sets it
    return request[BEARER]
