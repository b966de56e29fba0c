"""What all client-server calls share: who makes them, and how an answer is read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Self

import aiohttp
from pydantic import SecretStr

from lycatra_appservice.matrix.errors import HomeserverUnavailableError, MatrixError
from lycatra_appservice.matrix.http import Homeserver, Request
from lycatra_appservice.matrix.users import DEVICE_ID
from lycatra_appservice.model import JSON, EventID, UserID

V3: Final = ("_matrix", "client", "v3")
ROOMS: Final = (*V3, "rooms")
REQUEST_TIMEOUT: Final = timedelta(seconds=30)


class Calls:
    """The base of the groups of calls; each call is one request."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        as_token: SecretStr,
        *,
        timeout: timedelta = REQUEST_TIMEOUT,
    ) -> None:
        self._session = session
        self._base_url = base_url
        self._as_token = as_token
        self._homeserver = Homeserver(session, base_url, as_token, timeout)

    def within(self, timeout: timedelta) -> Self:
        """The same client with another limit for each request (joins over federation are slow)."""
        return type(self)(self._session, self._base_url, self._as_token, timeout=timeout)

    async def _get(
        self, as_user: UserID, path: Sequence[str], more: Iterable[tuple[str, str]] = ()
    ) -> JSON:
        query = (*identity(as_user), *more)
        return await self._homeserver.ask(Request(method="GET", path=path, query=query))

    async def _get_if_there(self, as_user: UserID, path: Sequence[str]) -> JSON:
        try:
            return await self._get(as_user, path)
        except MatrixError as exc:
            if exc.errcode != "M_NOT_FOUND":
                raise
            return None

    async def _put(self, as_user: UserID, path: Sequence[str], body: Mapping[str, JSON]) -> JSON:
        request = Request(method="PUT", path=path, query=identity(as_user), body=body)
        return await self._homeserver.ask(request)

    async def _post(
        self,
        as_user: UserID,
        path: Sequence[str],
        body: Mapping[str, JSON],
        more: Iterable[tuple[str, str]] = (),
    ) -> JSON:
        query = (*identity(as_user), *more)
        return await self._homeserver.ask(
            Request(method="POST", path=path, query=query, body=body)
        )


def identity(as_user: UserID, device_id: str = DEVICE_ID) -> tuple[tuple[str, str], ...]:
    """The query of a masquerading call; always both, since one alone breaks some homeservers."""
    return (("user_id", as_user), ("device_id", device_id))


def text_of(answer: JSON, key: str) -> str:
    """A text that an answer must have. Raises HomeserverUnavailableError without it."""
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, str):
        raise HomeserverUnavailableError(f"an answer without {key!r}")
    return value


def event_id_of(answer: JSON) -> EventID:
    """The id of the event that a call made. Raises HomeserverUnavailableError without it."""
    return EventID(text_of(answer, "event_id"))
