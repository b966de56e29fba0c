"""The connections to the homeserver: its own authority if it has one, and no cookies."""

import ssl
from pathlib import Path
from typing import Final

import aiohttp

_CONNECTIONS: Final = 64  # more than slots, so that typing waits for nobody


def homeserver_session(ca_file: Path | None) -> aiohttp.ClientSession:
    """Open nothing yet; the caller closes the session.

    Raises OSError for a `ca_file` that cannot be read or holds no certificate.
    """
    context = ssl.create_default_context(cafile=str(ca_file)) if ca_file else True
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=context),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
