"""Looks at the certificate that a host shows: once as it is, and once as a browser would."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Final

from lycatra_appservice.toolkit.base import (
    OutboundError,
    OutboundRefusedError,
    ShownCertificate,
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
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def look(place: CertificatePlace) -> Shown:
        async with at_once:
            return await _look_at(place, ctx)

    if len(places) == 1:
        return [await look(places[0])]
    return await asyncio.gather(*(_refused_as_well(look(each), each) for each in places))


async def _refused_as_well(looking: Awaitable[Shown], place: CertificatePlace) -> Shown:
    try:
        return await looking
    except OutboundRefusedError as exc:
        return Shown(place=place, problems=[exc.phrase])


async def _look_at(place: CertificatePlace, ctx: ToolContext) -> Shown:
    try:
        async with asyncio.timeout(_SECONDS):
            shown = await ctx.http.certificate(place.host, place.port)
    except OutboundRefusedError:
        raise
    except OutboundError as exc:
        return Shown(place=place, problems=[exc.phrase])
    except TimeoutError:
        return Shown(place=place, problems=[f"no answer within {_SECONDS:g} s"])
    return _judged(place, shown, ctx)


def _judged(
    place: CertificatePlace,
    shown: ShownCertificate,
    ctx: ToolContext,
) -> Shown:
    try:
        certificate = read_certificate(shown.data)
    except ValueError:
        return Shown(place=place, problems=["its certificate cannot be read"])
    return Shown(
        place=place,
        problems=problems_of(certificate, place.host, ctx.now(), shown.refusal),
        certificate=certificate,
        protocol=shown.protocol.replace("TLSv", "TLS "),
        days_left=certificate.days_left(ctx.now()),
    )
