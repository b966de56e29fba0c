"""One request to the homeserver: token, time limit, and an answer that is JSON or an error."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Final
from urllib.parse import quote, urlencode

import aiohttp
from multidict import CIMultiDictProxy
from pydantic import SecretStr
from yarl import URL

from lycatra_appservice.matrix.errors import (
    HomeserverUnavailableError,
    MatrixError,
    TooManyBytesError,
    TryLaterError,
)
from lycatra_appservice.model import JSON

# A proxy in front of the homeserver answers these itself, without an errcode.
_WITHOUT_ERRCODE: Final = {413: "M_TOO_LARGE", 429: "M_LIMIT_EXCEEDED"}
_KEPT_REASON: Final = 300  # characters of a homeserver's sentence; enough for the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call. `path` holds the pieces after the host, not yet quoted."""

    method: str
    path: Sequence[str]
    query: Sequence[tuple[str, str]] = ()
    body: Mapping[str, JSON] | None = None
    data: bytes | None = None
    content_type: str | None = None

    def __str__(self) -> str:
        return f"{self.method} /{'/'.join(self.path)}"


class Homeserver:
    """Speaks HTTP with one homeserver under our token. Owns no session and retries nothing."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        as_token: SecretStr,
        timeout: timedelta,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._as_token = as_token
        self._timeout = timeout

    async def ask(self, request: Request) -> JSON:
        """Send a request once and return the JSON of its 2xx answer: an object or an array.

        Raises MatrixError, TryLaterError or HomeserverUnavailableError.
        """
        status, headers, raw = await self._exchange(request)
        answer = _decode(raw)
        if 200 <= status < 300 and isinstance(answer, dict | list):
            return answer
        given = answer if isinstance(answer, dict) else {}
        raise _error(request, status, headers, given)

    async def download(self, request: Request, max_bytes: int) -> bytes:
        """Send a request once and return the bytes of its 2xx answer.

        Raises TooManyBytesError as soon as there are more, and what `ask` raises.
        """
        status, headers, raw = await self._exchange(request, max_bytes)
        if 200 <= status < 300:
            return raw
        given = _decode(raw)
        raise _error(request, status, headers, given if isinstance(given, dict) else {})

    async def _exchange(
        self, request: Request, max_bytes: int | None = None
    ) -> tuple[int, CIMultiDictProxy[str], bytes]:
        seconds = self._timeout.total_seconds()
        try:
            async with self._session.request(
                request.method,
                self._url(request),
                json=request.body,
                # aiohttp warns about large bare bytes; a file-like body has a length all the same.
                data=None if request.data is None else BytesIO(request.data),
                headers=self._headers(request),
                timeout=aiohttp.ClientTimeout(total=seconds),
                allow_redirects=False,  # the token is for this host alone
            ) as response:
                return response.status, response.headers, await _read(response, max_bytes)
        except TimeoutError as exc:
            raise HomeserverUnavailableError(f"{request}: no answer in {seconds:g} s") from exc
        except aiohttp.ClientError as exc:
            raise HomeserverUnavailableError(f"{request}: {type(exc).__name__}") from exc

    def _url(self, request: Request) -> URL:
        path = "/".join(quote(piece, safe="") for piece in request.path)
        query = f"?{urlencode(request.query)}" if request.query else ""
        return URL(f"{self._base_url}/{path}{query}", encoded=True)

    def _headers(self, request: Request) -> Mapping[str, str]:
        headers = {"Authorization": f"Bearer {self._as_token.get_secret_value()}"}
        if request.content_type is not None:
            headers["Content-Type"] = request.content_type
        return headers


async def _read(response: aiohttp.ClientResponse, max_bytes: int | None) -> bytes:
    if max_bytes is None:
        return await response.read()
    if (response.content_length or 0) > max_bytes:
        raise TooManyBytesError(f"{response.content_length} bytes")
    read = bytearray()
    async for piece in response.content.iter_any():
        read += piece
        if len(read) > max_bytes:
            raise TooManyBytesError(f"more than {max_bytes} bytes")
    return bytes(read)


def _decode(raw: bytes) -> JSON:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _error(
    request: Request, status: int, headers: CIMultiDictProxy[str], given: Mapping[str, JSON]
) -> MatrixError | HomeserverUnavailableError:
    errcode = given.get("errcode") or _WITHOUT_ERRCODE.get(status)
    if not isinstance(errcode, str):
        return HomeserverUnavailableError(f"{request}: {status}, and no Matrix answer in it")
    kind = TryLaterError if status == 429 or status >= 500 else MatrixError
    reason = str(given.get("error", ""))[:_KEPT_REASON]
    return kind(status, errcode, reason, retry_after=_retry_after(given, headers))


def _retry_after(given: Mapping[str, JSON], headers: CIMultiDictProxy[str]) -> timedelta | None:
    milliseconds = given.get("retry_after_ms")
    if isinstance(milliseconds, int | float):
        return _span(milliseconds / 1000)
    try:
        return _span(float(headers.get("Retry-After", "")))
    except ValueError:  # absent, or a date, which no homeserver sends
        return None


def _span(seconds: float) -> timedelta | None:
    if not math.isfinite(seconds) or not 0 <= seconds < timedelta.max.total_seconds():
        return None
    return timedelta(seconds=seconds)
