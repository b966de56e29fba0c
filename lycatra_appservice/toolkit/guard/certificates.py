"""What a host shows of itself in a TLS handshake, and whether it would be trusted."""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a certificate is not trusted: OpenSSL's number (`X509_V_ERR_…`), and its words."""

    code: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCertificate:
    """`data` is DER, `protocol` as `TLSv1.3`; without a `refusal` it is good for the host."""

    data: bytes
    protocol: str
    refusal: Refusal | None = None


def trusting_everybody() -> ssl.SSLContext:
    """For a look at what is shown; nothing is ever sent over such a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def refusal_in(error: BaseException | None) -> Refusal | None:
    """Why an exchange has ended; None when that was not for the certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refusal(error.verify_code, error.verify_message)
    return None
