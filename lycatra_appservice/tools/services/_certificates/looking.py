"""Looks at the certificate that a host shows: once as it is, and once as a browser would."""

import asyncio
import ssl
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Final

from lycatra_appservice.toolkit.base import (
    Handshake,
    OutboundError,
    OutboundRefusedError,
    ToolContext,
)
from lycatra_appservice.tools.services._certificates.certificate import (
    Certificate,
    read_certificate,
)
from lycatra_appservice.tools.services._certificates.judging import problems_of
from lycatra_appservice.tools.services._certificates.places import CertificatePlace

SOON_DAYS: Final = 14  # most are renewed a month before

_AT_ONCE = 5
_SECONDS = 8.0  # for both looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a host shows; without a certificate there are problems."""

    place: CertificatePlace
    problems: Sequence[str] = field(default_factory=tuple)
    certificate: Certificate | None = None
    protocol: str = ""
    days_left: int = 0

    @property
    def is_valid(self) -> bool:
        """Whether a browser would take it."""
        return not self.problems


async def look_at_certificates(
    places: Sequence[CertificatePlace], ctx: ToolContext
) -> Sequence[Shown]:
    """Those of all the places, in their order.

    Raises OutboundRefusedError, with what would allow it, for a single one that is not open.
    """
    contexts = await asyncio.to_thread(_contexts)  # reads the authorities of this machine
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def look(place: CertificatePlace) -> Shown:
        async with at_once:
            return await _look_at(place, contexts, ctx)

    if len(places) == 1:
        return [await look(places[0])]
    return await asyncio.gather(*(_refused_as_well(look(each), each) for each in places))


async def _refused_as_well(looking: Awaitable[Shown], place: CertificatePlace) -> Shown:
    try:
        return await looking
    except OutboundRefusedError as exc:
        return Shown(place=place, problems=[exc.phrase])


@dataclass(frozen=True, slots=True)
class _Contexts:
    anyhow: ssl.SSLContext
    verifying: ssl.SSLContext


def _contexts() -> _Contexts:
    anyhow = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyhow.check_hostname = False
    anyhow.verify_mode = ssl.CERT_NONE
    return _Contexts(anyhow, ssl.create_default_context())


async def _look_at(place: CertificatePlace, contexts: _Contexts, ctx: ToolContext) -> Shown:
    try:
        async with asyncio.timeout(_SECONDS):
            shown = await ctx.http.handshake(place.host, place.port, contexts.anyhow)
            refusal = await _refusal(place, contexts.verifying, ctx)
    except OutboundRefusedError:
        raise
    except OutboundError as exc:
        return Shown(place=place, problems=[_in_words(exc)])
    except TimeoutError:
        return Shown(place=place, problems=[f"no answer within {_SECONDS:g} s"])
    return _judged(place, shown, refusal, ctx)


async def _refusal(
    place: CertificatePlace, context: ssl.SSLContext, ctx: ToolContext
) -> ssl.SSLCertVerificationError | None:
    """What verifying it ends in; None when it is fine. Raises OutboundError for all else."""
    try:
        await ctx.http.handshake(place.host, place.port, context)
    except OutboundError as exc:
        if isinstance(exc.__cause__, ssl.SSLCertVerificationError):
            return exc.__cause__
        raise
    return None


def _judged(
    place: CertificatePlace,
    shown: Handshake,
    refusal: ssl.SSLCertVerificationError | None,
    ctx: ToolContext,
) -> Shown:
    try:
        certificate = read_certificate(shown.certificate)
    except ValueError:
        return Shown(place=place, problems=["its certificate cannot be read"])
    return Shown(
        place=place,
        problems=problems_of(certificate, place.host, ctx.now(), refusal),
        certificate=certificate,
        protocol=shown.protocol.replace("TLSv", "TLS "),
        days_left=certificate.days_left(ctx.now()),
    )


def _in_words(error: OutboundError) -> str:
    """Who speaks no TLS at all, speaks it in a version too old, or wants a certificate of ours."""
    if isinstance(error.__cause__, ssl.SSLError):
        return "it speaks no TLS there, or none that I can agree on"
    return error.phrase
