"""Calls of the Matrix client-server API as a person's client makes them."""

from collections.abc import Mapping
from typing import Self
from urllib.parse import quote

import aiohttp

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON


class ClientApiError(LycatraError):
    """The homeserver refused a call; `errcode` is the specification's, empty if it gave none."""

    said = "The homeserver refused this."

    def __init__(self, what: str, status: int, errcode: str, error: str) -> None:
        super().__init__(f"{what} was answered {status} {errcode}: {error}")
        self.status = status
        self.errcode = errcode


def path_of(*parts: str) -> str:
    """A path made of these parts, each escaped whole: room aliases and event ids contain `/`."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


class ClientApi:
    """One homeserver, one access token (or none yet). `async with` owns the connections."""

    def __init__(self, url: str, access_token: str | None = None) -> None:
        self._url = url.rstrip("/")
        headers = {} if access_token is None else {"Authorization": f"Bearer {access_token}"}
        self._headers = headers
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: JSON = None,
        query: Mapping[str, str] | None = None,
        seconds: float = 30,
    ) -> JSON:
        """One call; `path` starts behind the address, escaped where needed (see `path_of`).

        Raises ClientApiError for every answer but 2xx, aiohttp.ClientError or TimeoutError when
        there is none.
        """
        if self._session is None:
            raise RuntimeError("ClientApi is used outside of its `async with`")
        request = self._session.request(
            method,
            self._url + path,
            json=body,
            params=query,
            timeout=aiohttp.ClientTimeout(total=seconds),
        )
        async with request as answer:
            found = await _json_of(answer)
            if answer.status >= 300:
                raise _refusal(f"{method} {path}", answer.status, found)
            return found


async def _json_of(answer: aiohttp.ClientResponse) -> JSON:
    try:
        return await answer.json(content_type=None)
    except ValueError:
        return None  # not JSON: a proxy's page, or a server that is going down


def _refusal(what: str, status: int, found: JSON) -> ClientApiError:
    details = found if isinstance(found, dict) else {}
    return ClientApiError(
        what, status, str(details.get("errcode", "")), str(details.get("error", "no reason given"))
    )
