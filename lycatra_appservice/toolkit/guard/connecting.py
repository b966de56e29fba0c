"""One request or one connection, behind a door of its own."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.guard.allowance import Peer
from lycatra_appservice.toolkit.guard.certificates import ShownCertificate
from lycatra_appservice.toolkit.guard.door import Door

_CONNECT_SECONDS = 3.0
# The whole has no time of its own: the gate ends a tool that takes too long.
_TIMES = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent, and to whom; `url` has passed `read_url`."""

    method: str
    url: URL
    peer: Peer
    headers: Mapping[str, str]
    json: JSON = None
    accept: Collection[str] = ()


def client_session(
    door: Door,
    resolver: AbstractResolver,
    headers: Mapping[str, str],
    middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
) -> aiohttp.ClientSession:
    """A session all of whose sockets come from this door; the caller closes it."""
    # A connection kept for later would be given to whoever asks for the same host, without
    # asking the door: so each has a connector, and a connector has one.
    connector = aiohttp.TCPConnector(
        resolver=resolver, socket_factory=door, use_dns_cache=False, force_close=True
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "lycatra-appservice", **headers},
        timeout=_TIMES,
        trust_env=False,  # a proxy would look up and connect for us, past the door
        middlewares=middlewares,
    )


@asynccontextmanager
async def sent(
    request: Request, door: Door, resolver: AbstractResolver
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Send a request; its answer can be read until the context ends.

    Raises aiohttp.ClientError, OSError or UnicodeError.
    """
    kinds = {"Accept": ", ".join(request.accept)} if request.accept else {}
    async with (
        client_session(door, resolver, kinds) as session,
        session.request(
            request.method,
            request.url,
            headers=request.headers,
            json=request.json,
            allow_redirects=False,
        ) as response,
    ):
        yield response


async def open_one(addresses: Sequence[str], port: int, door: Door) -> None:
    """Connect to one after the other until one accepts, and close that connection again.

    Raises the last OSError when none does.
    """
    writer = await _first_open(addresses, port, door)
    writer.close()
    with suppress(OSError):  # it was open, that is what was asked
        await writer.wait_closed()


async def shake_hands(
    addresses: Sequence[str], port: int, door: Door, context: ssl.SSLContext
) -> ShownCertificate:
    """Agree on TLS with the first that accepts a connection, as `door.peer`, and hang up.

    Raises OSError, of which ssl.SSLError is one.
    """
    writer = await _first_open(
        addresses, port, door, ssl=context, server_hostname=door.peer.host.rstrip(".")
    )
    try:
        spoken: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return ShownCertificate(
            data=spoken.getpeercert(binary_form=True) or b"",
            protocol=spoken.version() or "",
        )
    finally:
        writer.transport.abort()  # a farewell would be waited for


async def _first_open(
    addresses: Sequence[str], port: int, door: Door, **tls: Any
) -> asyncio.StreamWriter:
    last = OSError("its name has no address")
    for address in addresses:
        try:
            door.check(address)
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(address, port, **tls)
        except ssl.SSLError:
            raise  # somebody has answered
        except OSError as exc:
            last = exc
        else:
            return writer
    raise last
