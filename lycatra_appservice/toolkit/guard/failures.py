"""What went wrong with another host, in words for people: never an address it was resolved to."""

import errno
import re
import socket
import ssl

import aiohttp

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.toolkit.guard.allowance import Objection, Peer

_SHOWABLE = re.compile(r"[A-Za-z0-9._:\[\]-]{1,253}")

_REMEDIES = {
    Objection.NOT_PUBLIC: "Whoever runs me can allow it: `tools_http: {{allow: ['{target}']}}`.",
    Objection.NOT_THIS_WAY: "Whoever runs me can allow it: `tools_http: {{allow: ['{target}']}}`.",
    Objection.NOT_BY_NAME: "Whoever runs me can list its address in `tools_http.allow`.",
    Objection.LED_INSIDE: "Ask for that place itself.",
}


class OutboundError(ToolFailedError):
    """Another host could not be asked, or gave nothing usable.

    `phrase` says why in a few words without naming it ("connection refused"), for lists of them.
    """

    def __init__(self, user_message: str, phrase: str) -> None:
        super().__init__(user_message)
        self.phrase = phrase

    @classmethod
    def about(cls, peer: Peer, phrase: str) -> "OutboundError":
        """A host that gave no answer."""
        return cls(f"I got no usable answer from {shown(peer)}: {phrase}.", phrase)


class OutboundRefusedError(OutboundError):
    """The guard did not let a request out; asking again changes nothing."""

    @classmethod
    def because(cls, peer: Peer, objection: Objection) -> "OutboundRefusedError":
        """A place that tools may not reach, with the line that would allow it."""
        remedy = _REMEDIES[objection].format(target=peer.target)
        host = f"{shown(peer)}, where a redirect leads" if peer.is_redirected else shown(peer)
        leads = "it redirects to where tools may not go" if peer.is_redirected else "refused"
        return cls(f"I may not reach {host}: {objection}. {remedy}", f"{leads}: {objection}")

    @classmethod
    def of_address(cls, phrase: str) -> "OutboundRefusedError":
        """An address that is not even tried; it is not repeated, it may hold a password."""
        return cls(f"I do not open that address: {phrase}.", phrase)


class AnswerTooLargeError(OutboundError):
    """The answer has more bytes than the tool takes, counted after decompression."""


def shown(peer: Peer) -> str:
    """Host and port as they were asked for; a redirect may have written anything there."""
    text = str(peer.target)
    return f"`{text}`" if _SHOWABLE.fullmatch(text) else "that host"


def reason(error: Exception) -> str:
    """A short phrase without any address; the order matters, most of these are OSErrors too."""
    match error:
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "its name cannot be resolved"
        case ssl.SSLCertVerificationError() | aiohttp.ClientConnectorCertificateError():
            return "its certificate is not valid"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "TLS cannot be agreed on"
        case OSError(errno=errno.ECONNREFUSED):
            return "connection refused"
        case aiohttp.ServerTimeoutError() | TimeoutError():
            return "no connection in time"
        case aiohttp.InvalidURL() | UnicodeError():
            return "its address is not valid"
        case aiohttp.ClientConnectorError() | OSError():
            return "cannot be reached"
        case _:
            return "gave no valid answer"
