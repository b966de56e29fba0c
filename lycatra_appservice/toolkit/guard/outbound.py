"""The only way from a tool to another host."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver

from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.guard.allowance import Allowance, Peer
from lycatra_appservice.toolkit.guard.answer import HttpAnswer, Wanted, read_answer
from lycatra_appservice.toolkit.guard.certificates import (
    ShownCertificate,
    refusal_in,
    trusting_everybody,
)
from lycatra_appservice.toolkit.guard.connecting import (
    Request,
    client_session,
    open_one,
    sent,
    shake_hands,
)
from lycatra_appservice.toolkit.guard.door import Door
from lycatra_appservice.toolkit.guard.failures import OutboundError
from lycatra_appservice.toolkit.guard.session import GuardedSession, OnlyThere, failure
from lycatra_appservice.toolkit.guard.web_address import followed, peer_of, read_url, tls_peer

MakeResolver: TypeAlias = Callable[[], AbstractResolver]

_MAX_BODY_BYTES = 1024 * 1024
_MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_FOLLOWED_METHODS = ("GET", "HEAD")  # a body is for the one whom it was written for
# They say whom and how we ask, which is settled here.
_OURS = {
    *("accept-encoding", "connection", "content-length", "expect", "host", "proxy-authorization"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
}


class Outbound:
    """What a tool has for asking other hosts.

    The internet is open by https on port 443. Everything else has to stand in the configuration:
    in the settings of the tool's own namespace, or in `tools_http.allow`. No proxy and no netrc
    of the environment, no cookies, no connection that another call has used.
    """

    def __init__(
        self,
        allowance: Allowance,
        *,
        log: logging.Logger,
        make_resolver: MakeResolver = aiohttp.ThreadedResolver,
    ) -> None:
        """For the calls of one namespace. `make_resolver` is called in a running loop."""
        self._allowance = allowance
        self._log = log
        self._make_resolver = make_resolver

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: Collection[str] = (),
        max_body_bytes: int = _MAX_BODY_BYTES,
        cut: bool = False,
    ) -> HttpAnswer:
        """GET; see `request`."""
        return await self.request(
            "GET", url, headers=headers, accept=accept, max_body_bytes=max_body_bytes, cut=cut
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: JSON = None,
        accept: Collection[str] = (),
        max_body_bytes: int = _MAX_BODY_BYTES,
        cut: bool = False,
    ) -> HttpAnswer:
        """Ask, and return the answer whatever its status.

        `accept` are the content types (`application/json`) that a success may have, all by
        default. A body larger than `max_body_bytes` is an error; with `cut` its beginning is
        returned. GET and HEAD follow three redirects, each checked like the first address;
        `headers` do not go along to another origin.

        Raises OutboundError: a sentence for people that a tool may let through, and a phrase.
        """
        if _OURS & {name.lower() for name in headers or {}}:
            raise ValueError(f"a tool sets none of these headers: {', '.join(sorted(_OURS))}")
        read = read_url(url)
        request = Request(
            method=method,
            url=read,
            peer=peer_of(read),
            headers=headers or {},
            json=json,
            accept=accept,
        )
        wanted = Wanted(accept=accept, max_body_bytes=max_body_bytes, cut=cut)
        for _ in range(1 + _MOST_REDIRECTS):
            got = await self._exchange(request, wanted)
            if isinstance(got, HttpAnswer):
                return got
            request = got
        raise OutboundError.about(request.peer, "too many redirects")

    async def reach(self, host: str, port: int) -> None:
        """Open a TCP connection and close it again; only where the configuration allows it.

        Raises OutboundError when nobody accepts it.
        """
        with self._door(Peer(host=host.lower(), port=port, encrypted=False)) as door:
            found = await self._make_resolver().resolve(host, port, socket.AF_UNSPEC)
            await open_one([each["host"] for each in found], port, door)

    async def certificate(self, host: str, port: int) -> ShownCertificate:
        """What a host shows in a TLS handshake, and whether the system's authorities trust it.

        Open like an address of https. Nothing is sent. Raises OutboundError where there is none.
        """
        peer = tls_peer(host, port)
        shown = await self._handshake(peer, trusting_everybody())
        try:
            # Reads the authorities of this machine.
            await self._handshake(peer, await asyncio.to_thread(ssl.create_default_context))
        except OutboundError as exc:
            refusal = refusal_in(exc.__cause__)
            if refusal is None:
                raise
            return replace(shown, refusal=refusal)
        return shown

    @asynccontextmanager
    async def session(self, url: str) -> AsyncIterator[GuardedSession]:
        """For a library that needs a session of aiohttp: to the host and port of `url` only.

        It has no deadline of its own. What such a library raises is its own; `failure` of the
        session says in words what the connection's error behind it means.
        """
        read = read_url(url)
        with self._door(peer_of(read)) as door:
            only = OnlyThere(read)
            async with client_session(door, self._make_resolver(), {}, [only]) as client:
                yield GuardedSession(client, door)

    async def _handshake(self, peer: Peer, context: ssl.SSLContext) -> ShownCertificate:
        with self._door(peer) as door:
            found = await self._make_resolver().resolve(peer.host, peer.port, socket.AF_UNSPEC)
            addresses = [each["host"] for each in found]
            return await shake_hands(addresses, peer.port, door, context)

    async def _exchange(self, request: Request, wanted: Wanted) -> HttpAnswer | Request:
        """Send a request and return its answer; if it is a redirect, the request to send next."""
        with self._door(request.peer) as door:
            async with sent(request, door, self._make_resolver()) as response:
                location = _location(request, response)
                if location is None:
                    return await read_answer(response, request.peer, wanted)
        return _redirected(request, location, door)

    @contextmanager
    def _door(self, peer: Peer) -> Iterator[Door]:
        """A door, and its end in words when nobody answered behind it or it stayed shut."""
        door = Door(self._allowance, peer)
        try:
            yield door
        except (aiohttp.ClientError, OSError, UnicodeError) as exc:
            raise failure(door, exc) from exc
        finally:
            self._log_refused(door)

    def _log_refused(self, door: Door) -> None:
        """The addresses go to the log alone: who may ask need not learn our network."""
        for address, objection in door.refused.items():
            self._log.warning(
                "outbound_refused",
                extra={
                    "host": door.peer.host,
                    "port": door.peer.port,
                    "address": address,
                    "reason": objection.name.lower(),
                },
            )


def _location(request: Request, response: aiohttp.ClientResponse) -> str | None:
    if response.status not in _REDIRECTS or request.method not in _FOLLOWED_METHODS:
        return None
    return response.headers.get("Location")


def _redirected(request: Request, location: str, door: Door) -> Request:
    url = followed(request.url, location)
    peer = replace(peer_of(url), is_redirected=True, sent_from_internet=door.led_to_internet)
    return replace(
        request,
        url=url,
        peer=peer,
        headers=request.headers if url.origin() == request.url.origin() else {},
    )
