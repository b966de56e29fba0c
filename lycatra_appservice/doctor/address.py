"""Whether a homeserver answers at an address, and what it says about itself without a token."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Final

import aiohttp

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON

_VERSIONS: Final = "/_matrix/client/versions"
_PATIENCE: Final = aiohttp.ClientTimeout(total=10, connect=5)


class NoHomeserverError(LycatraError):
    """Nothing that speaks Matrix is there; the message is a sentence with the address."""

    said = "No homeserver answers there."


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What /_matrix/client/versions told. `clock_ahead` is how far its clock is before ours."""

    url: str
    took: timedelta
    features: Mapping[str, bool]
    server: str  # its Server header, or that of a proxy before it
    clock_ahead: timedelta | None


async def look_at(session: aiohttp.ClientSession, url: str) -> Seen:
    """Ask once. Raises NoHomeserverError."""
    began = monotonic()
    try:
        async with session.get(
            url + _VERSIONS, timeout=_PATIENCE, allow_redirects=False
        ) as answer:
            body = await _body(answer, url)
            took = timedelta(seconds=monotonic() - began)
            return Seen(
                url=url,
                took=took,
                features=_features(body),
                server=answer.headers.get("Server", ""),
                clock_ahead=_clock_ahead(answer.headers.get("Date", ""), took),
            )
    except (aiohttp.ClientError, TimeoutError, ssl.SSLError) as failed:
        raise NoHomeserverError(f"{url} {_why(failed)}") from failed


async def _body(answer: aiohttp.ClientResponse, url: str) -> Mapping[str, JSON]:
    if 300 <= answer.status < 400:
        target = answer.headers.get("Location", "").partition("/_matrix")[0]
        raise NoHomeserverError(f"{url} sends us elsewhere: use {target or 'the other address'}")
    try:
        body = await answer.json(content_type=None)
    except ValueError:
        body = None
    if answer.status != 200 or not isinstance(body, dict) or "versions" not in body:
        raise NoHomeserverError(
            f"{url} answers, but no homeserver does (status {answer.status}): "
            "is the port or the path wrong?"
        )
    return body


def _features(body: Mapping[str, JSON]) -> Mapping[str, bool]:
    features = body.get("unstable_features")
    return features if isinstance(features, dict) else {}


def _clock_ahead(date: str, took: timedelta) -> timedelta | None:
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    if theirs.tzinfo is None:
        return None
    return theirs - (datetime.now(UTC) - took / 2)


def _why(failed: Exception) -> str:
    match failed:
        case aiohttp.ClientConnectorDNSError():
            return "has a name that is not known here"
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return "has a certificate that is not trusted here (homeserver.ca_file)"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "does not speak TLS: is it http:// instead of https://?"
        case aiohttp.ClientConnectorError():
            # asyncio's own text repeats the address in the shape of a tuple.
            number = failed.os_error.errno
            return f"cannot be reached: {os.strerror(number) if number else 'no connection'}"
        case TimeoutError():
            return "does not answer in time"
        case _:
            return "does not speak HTTP"
