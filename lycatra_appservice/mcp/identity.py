"""Who comes: from the Authorization header, or from the network where no tokens are asked for."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from time import monotonic
from typing import Final, Protocol, TypeAlias

from aiohttp import web

from lycatra_appservice.errors import LycatraError, StoreUnavailableError
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.mcp.bearer import Bearer
from lycatra_appservice.mcp.pace import Pace
from lycatra_appservice.mcp.refusing import RefusedError
from lycatra_appservice.mcp.tokens import PREFIX, Scope, Token, TokenStore
from lycatra_appservice.model import Caller, Face, Level, RoomID, UserID
from lycatra_appservice.toolkit.access import Grant

logger = logging.getLogger(__name__)

Network: TypeAlias = IPv4Network | IPv6Network
_BELIEVED_SECONDS: Final = 5.0  # how long rights are not looked at again
_MOST_BELIEVED: Final = 10_000
_GUEST: Final = "guest"
# Nothing of what else could stand there is worth more than a word: plain, or with its error.
_NO_TOKEN: Final[dict[str, str]] = {"WWW-Authenticate": "Bearer"}
_WRONG_TOKEN: Final[dict[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Rooms(Protocol):
    """Knows who is where."""

    async def joined(self, room_id: RoomID) -> frozenset[UserID]:
        """The people in a room now. Raises MatrixError when it cannot be told."""


class Grants(Protocol):
    """Knows whom the configuration lets in, and whom it denies."""

    async def grant(self, user_id: UserID, room_id: RoomID | None) -> Grant | None:
        """The entry that decides about somebody there."""


@dataclass(frozen=True, slots=True)
class _Believed:
    bearer: Bearer
    until: float


class TokenIdentities:
    """By personal token; what was found is believed for some seconds, if nothing is heard."""

    def __init__(self, tokens: TokenStore, rooms: Rooms, rights: Grants, pace: Pace) -> None:
        self._tokens = tokens
        self._rooms = rooms
        self._rights = rights
        self._pace = pace
        self._believed: dict[str, _Believed] = {}
        self._noting: set[asyncio.Task[None]] = set()

    async def of(self, request: web.Request) -> Bearer:
        """Whose request it is. Raises RefusedError, 401, 429 or 503."""
        secret = _secret(request.headers.get("Authorization"))
        key = hashlib.sha256(secret.encode(errors="replace")).hexdigest()
        known = self._believed.get(key)
        if known is None or known.until < monotonic():
            known = await self._looked_up(secret, key)
        self._pace.take(known.bearer.token_id)
        return known.bearer

    def heard(self, token_id: str) -> None:
        """A token has ended somewhere: it is looked at anew; all of them for an empty id."""
        for key, known in tuple(self._believed.items()):
            if token_id in ("", known.bearer.token_id):
                del self._believed[key]

    async def _looked_up(self, secret: str, key: str) -> _Believed:
        self._believed.pop(key, None)
        try:
            token = await self._tokens.find(secret)
            if token is None or not await self._holds(token):
                raise RefusedError(401, "the token is not valid (any more)", headers=_WRONG_TOKEN)
            await self._tokens.touch(token.id)
        except (StoreUnavailableError, MatrixError) as error:
            logger.warning("mcp_token_unknown", extra={"error": str(error)})
            raise _away(error) from error
        if len(self._believed) >= _MOST_BELIEVED:
            self._believed.clear()
        seconds = min(_BELIEVED_SECONDS, token.left.total_seconds())
        found = self._believed[key] = _Believed(_bearer(token), monotonic() + seconds)
        return found

    async def _holds(self, token: Token) -> bool:
        room_id, owner = token.room_id, token.owner
        if room_id is not None and owner not in await self._rooms.joined(room_id):
            await self._tokens.end(token, by="room")
            logger.info("mcp_token_ended", extra={"token": token.id, "why": "room left"})
            return False
        grant = await self._rights.grant(owner, room_id)
        # In no list at all somebody has no rights, which is no reason to disown a token.
        return grant is None or grant.level is not Level.NONE


class GuestIdentities:
    """Where no tokens are asked for: everybody of these networks is a guest, at one pace."""

    def __init__(self, guest: UserID, networks: Sequence[Network], pace: Pace) -> None:
        """Without `networks` only this machine's own clients are let in."""
        caller = Caller(user_id=guest, face=Face.MCP, is_guest=True)
        self._bearer = Bearer(caller=caller, token_id=_GUEST, name=_GUEST)
        self._networks = networks
        self._pace = pace

    async def of(self, request: web.Request) -> Bearer:
        """A guest. Raises RefusedError, 403 or 429."""
        if not self._is_let_in(request.remote):
            raise RefusedError(403, "this network is not allowed; see mcp.networks")
        self._pace.take(_GUEST)
        return self._bearer

    def _is_let_in(self, remote: str | None) -> bool:
        try:
            address = ip_address(remote or "")
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        return address.is_loopback or any(address in network for network in self._networks)


def _secret(header: str | None) -> str:
    if header is None:
        raise RefusedError(401, "a token is needed; make one by !mcp in Matrix", headers=_NO_TOKEN)
    kind, _, secret = header.strip().partition(" ")
    secret = secret.strip()
    if kind.lower() == "bearer" and secret.startswith(PREFIX):
        return secret
    if secret.startswith(("syt_", "mat_", "mct_", "mcr_")):
        # A whole account: looked up nowhere, and never passed on.
        logger.warning("mcp_matrix_token_refused")
    raise RefusedError(
        401, "this is no token of mine; make one by !mcp in Matrix", headers=_WRONG_TOKEN
    )


def _bearer(token: Token) -> Bearer:
    caller = Caller(
        user_id=token.owner,
        face=Face.MCP,
        room_id=token.room_id,
        on_behalf_of_turn=f"token:{token.id}",
        reads_only=token.scope is Scope.READ,
    )
    return Bearer(caller=caller, token_id=token.id, name=token.name)


def _away(error: LycatraError) -> RefusedError:
    return RefusedError(503, error.user_message, headers={"Retry-After": "5"})
