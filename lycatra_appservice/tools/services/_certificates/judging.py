"""What is wrong with a certificate for a host, in words; pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Final

from lycatra_appservice.toolkit.base import Refusal
from lycatra_appservice.tools.services._certificates.certificate import Certificate

_NOT_YET, _EXPIRED = 9, 10  # OpenSSL's numbers, X509_V_ERR_…
_OTHER_NAME = (62, 64)
_SHOWN_NAMES = 4

_WORDS: Final[Mapping[int, str]] = {
    18: "it is self-signed",
    19: "its chain ends in an authority that I do not trust",
    20: "its issuer is not one I trust, or the server leaves out a certificate of the chain",
    21: "its issuer is not one I trust, or the server leaves out a certificate of the chain",
    23: "it is revoked",
    _EXPIRED: "a certificate of its chain has expired",
    _NOT_YET: "a certificate of its chain is not valid yet",
}


def problems_of(
    certificate: Certificate,
    host: str,
    now: datetime,
    refusal: Refusal | None,
) -> Sequence[str]:
    """Everything that is wrong; `refusal` is what verifying ended in, at the first thing."""
    return list(dict.fromkeys(_problems(certificate, host, now, refusal)))


def is_for(certificate: Certificate, host: str) -> bool:
    """Whether one of its names is the host, with `*` for its first part."""
    try:
        wanted = str(ip_address(host))
    except ValueError:
        _, dot, rest = host.lower().rstrip(".").partition(".")
        wildcard = f"*.{rest}" if dot else ""
        return bool({host.lower().rstrip("."), wildcard} & {*certificate.names})
    return wanted in certificate.names


def _problems(
    certificate: Certificate,
    host: str,
    now: datetime,
    refusal: Refusal | None,
) -> Iterator[str]:
    if certificate.not_after < now:
        days = -certificate.days_left(now)
        yield f"it expired {days} day{'s' if days != 1 else ''} ago"
    if certificate.not_before > now:
        yield "it is not valid yet"
    code = refusal.code if refusal is not None else 0
    if code in _OTHER_NAME or not is_for(certificate, host):
        yield f"it is not for `{host}` but for {_names(certificate)}"
    if refusal is not None and code not in _OTHER_NAME and not _is_told(certificate, code, now):
        yield _WORDS.get(code, refusal.words or "it cannot be verified")


def _is_told(certificate: Certificate, code: int, now: datetime) -> bool:
    if code == _EXPIRED:
        return certificate.not_after < now
    return code == _NOT_YET and certificate.not_before > now


def _names(certificate: Certificate) -> str:
    shown = ", ".join(f"`{each}`" for each in certificate.names[:_SHOWN_NAMES])
    more = len(certificate.names) - _SHOWN_NAMES
    if not shown:
        return f"no host at all ({certificate.subject})"
    return f"{shown} and {more} more" if more > 0 else shown
