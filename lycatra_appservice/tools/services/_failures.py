"""Says in words why a peer could not be reached, without the address an error would repeat."""

import errno
import socket
import ssl

import aiohttp


def reason(error: Exception) -> str:
    """A short phrase for people; the order matters, most of these are OSErrors too."""
    match error:
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "its name cannot be resolved"
        case ssl.SSLCertVerificationError():
            return "its certificate is not valid"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "TLS cannot be agreed on"
        case OSError(errno=errno.ECONNREFUSED):
            return "connection refused"
        case aiohttp.TooManyRedirects():
            return "too many redirects"
        case aiohttp.ClientConnectorError() | OSError():
            return "cannot be reached"
        case _:
            return "gave no valid answer"
