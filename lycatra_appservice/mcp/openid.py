"""Asks homeservers whose a Matrix OpenID token is; it says who somebody is, and opens nothing."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

import aiohttp

from lycatra_appservice.actors import is_localpart, is_server_name
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON, UserID
from lycatra_appservice.toolkit.guard.failures import OutboundError
from lycatra_appservice.toolkit.guard.outbound import Outbound

_USERINFO: Final = "/_matrix/federation/v1/openid/userinfo?access_token="
_WELL_KNOWN: Final = "/.well-known/matrix/server"
_FEDERATION_PORT: Final = 8448
_MOST_BYTES: Final = 16 * 1024
_ANSWER_SECONDS: Final = 10.0


class HomeserverAwayError(LycatraError):
    """A homeserver gave no usable answer; whether the token is good is unknown."""


class Vouching(Protocol):
    """One way to ask for the owner of a token."""

    async def userinfo(self, server: str, token: str) -> JSON:
        """What the server says, None when it does not know the token.

        Raises HomeserverAwayError.
        """


@dataclass(frozen=True, slots=True)
class OwnHomeserver:
    """The own homeserver, at its configured address."""

    url: str
    make_session: Callable[[], aiohttp.ClientSession]

    async def userinfo(self, server: str, token: str) -> JSON:
        """See Vouching; `server` is the own one."""
        del server
        try:
            # The deadline is for the whole answer, not for a piece of it.
            async with asyncio.timeout(_ANSWER_SECONDS), self.make_session() as session:
                return await self._asked(session, token)
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            # Without its text, which may have the address with the token in it.
            raise HomeserverAwayError(type(error).__name__) from None

    async def _asked(self, session: aiohttp.ClientSession, token: str) -> JSON:
        url = self.url.rstrip("/") + _USERINFO + quote(token, safe="")
        async with session.get(url, allow_redirects=False) as response:
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > _MOST_BYTES:
                    raise HomeserverAwayError("its answer is too large")
            return _read(response.status, lambda: json.loads(body))


@dataclass(frozen=True, slots=True)
class ForeignHomeservers:
    """Others, found by their names; the guard keeps them from leading into the own network."""

    outbound: Outbound

    async def userinfo(self, server: str, token: str) -> JSON:
        """See Vouching."""
        try:
            async with asyncio.timeout(2 * _ANSWER_SECONDS):
                url = f"https://{await self._place_of(server)}{_USERINFO}{quote(token, safe='')}"
                answer = await self.outbound.get(url, max_body_bytes=_MOST_BYTES)
                return _read(answer.status, answer.json)
        except OutboundError as error:
            raise HomeserverAwayError(error.phrase) from None
        except TimeoutError:
            raise HomeserverAwayError("it took too long") from None

    async def _place_of(self, server: str) -> str:
        if _has_port(server):
            return server
        try:
            answer = await self.outbound.get(
                f"https://{server}{_WELL_KNOWN}", max_body_bytes=_MOST_BYTES
            )
            said = answer.json() if answer.status == 200 else None
        except OutboundError:
            said = None
        place = said.get("m.server") if isinstance(said, dict) else None
        if not isinstance(place, str) or not is_server_name(place):
            place = server
        return place if _has_port(place) else f"{place}:{_FEDERATION_PORT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdPeople:
    """Who is who, as the homeservers say that are asked at all."""

    own_server: str
    servers: frozenset[str]
    own: Vouching
    foreign: Vouching

    async def owner(self, server: str, token: str) -> UserID | None:
        """Whose token it is; None if nobody's, or if its server speaks for another's people.

        Raises HomeserverAwayError.
        """
        way = self.own if server == self.own_server else self.foreign
        said = await way.userinfo(server, token)
        sub = said.get("sub") if isinstance(said, dict) else None
        if not isinstance(sub, str):
            return None
        local, _, home = sub.partition(":")
        return UserID(sub) if home == server and is_localpart(local) else None


def _read(status: int, body: Callable[[], JSON]) -> JSON:
    if status in {400, 401, 403}:
        return None
    if status != 200:
        raise HomeserverAwayError(f"status {status}")
    return body()


def _has_port(server: str) -> bool:
    return ":" in server.rpartition("]")[2]
