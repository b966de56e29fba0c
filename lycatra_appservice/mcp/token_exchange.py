"""`/mcp/token-exchange`: a short token of ours for a Matrix OpenID token, for scripts."""

import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Protocol

from aiohttp import web

from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.mcp.addresses import Addresses
from lycatra_appservice.mcp.body import Bodies
from lycatra_appservice.mcp.openid import HomeserverAwayError, OpenIdPeople
from lycatra_appservice.mcp.pace import Pace
from lycatra_appservice.mcp.refusing import RefusedError
from lycatra_appservice.mcp.tokens import NewToken, TokenError, TokenStore
from lycatra_appservice.model import JSON, Level, RoomID, UserID

logger = logging.getLogger(__name__)

PATH: Final = "/mcp/token-exchange"
LIFETIME: Final = timedelta(hours=1)  # as long as Synapse lets an OpenID token live
_MOST_BYTES: Final = 16 * 1024
_READ_SECONDS: Final = 10.0
_LONGEST_TOKEN: Final = 1024  # characters


class Levels(Protocol):
    """Knows what people may do."""

    async def level(self, user_id: UserID, room_id: RoomID | None) -> Level:
        """What somebody may do at most."""


class TokenExchange:
    """The route. Whoever asks is counted by address, as each request makes us ask somebody."""

    def __init__(
        self,
        people: OpenIdPeople,
        tokens: TokenStore,
        levels: Levels,
        *,
        addresses: Addresses,
        pace: Pace,
    ) -> None:
        self._people = people
        self._tokens = tokens
        self._levels = levels
        self._addresses = addresses
        self._pace = pace
        self._bodies = Bodies(_MOST_BYTES, _READ_SECONDS)

    def routes(self) -> Sequence[web.RouteDef]:
        """For the main listener."""
        return [web.post(PATH, self._called)]

    async def _called(self, request: web.Request) -> web.Response:
        try:
            self._addresses.check(request)
            self._pace.take(f"exchange {request.remote}")
            server, token = _asked(await self._bodies.read(request))
            made = await self._exchanged(server, token)
        except RefusedError as refused:
            return refused.response()
        return web.json_response(made, headers={"Cache-Control": "no-store"})

    async def _exchanged(self, server: str, token: str) -> dict[str, JSON]:
        if server not in self._people.servers:
            raise RefusedError(403, "this homeserver is not allowed; see mcp.openid_servers")
        try:
            owner = await self._people.owner(server, token)
            if owner is None:
                raise RefusedError(403, "the homeserver does not know this OpenID token")
            if await self._levels.level(owner, None) is Level.NONE:
                raise RefusedError(403, "you may not use this assistant")
            secret = await self._made(owner)
        except HomeserverAwayError as away:
            logger.warning("mcp_openid_away", extra={"server": server, "error": str(away)})
            raise RefusedError(502, "the homeserver gave no usable answer") from away
        except (StoreUnavailableError, MatrixError) as error:
            logger.warning("mcp_openid_unknown", extra={"error": str(error)})
            raise RefusedError(503, error.user_message, headers={"Retry-After": "5"}) from error
        return {
            "access_token": secret,
            "token_type": "Bearer",
            "expires_in": round(LIFETIME.total_seconds()),
        }

    async def _made(self, owner: UserID) -> str:
        # Two scripts of one person run at a time, and a name is only once.
        name = f"openid-{secrets.token_hex(4)}"
        try:
            return await self._tokens.make(NewToken(owner=owner, name=name, lifetime=LIFETIME))
        except TokenError as error:
            raise RefusedError(
                429, "you have too many living tokens; end one by !mcp in Matrix"
            ) from error


def _asked(body: dict[str, JSON]) -> tuple[str, str]:
    server, token = body.get("matrix_server_name"), body.get("access_token")
    if not (isinstance(server, str) and isinstance(token, str) and token):
        raise RefusedError(400, "the body must have access_token and matrix_server_name")
    if len(token) > _LONGEST_TOKEN:
        raise RefusedError(400, "the access_token is too long")
    return server, token
