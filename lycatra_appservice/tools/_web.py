"""Web addresses of the configuration as a request takes them: where to, and as whom."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pydantic import HttpUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """`url` has no user and password in it; if there were some, `headers` has them."""

    url: str
    headers: Mapping[str, str]


def web_address(configured: HttpUrl) -> WebAddress:
    """Take `https://user:password@host/` apart, which the guard refuses as it stands."""
    parts = urlsplit(str(configured))
    userinfo, at, place = parts.netloc.rpartition("@")
    if not at:
        return WebAddress(url=str(configured), headers={})
    user, _, password = userinfo.partition(":")
    said = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return WebAddress(
        url=parts._replace(netloc=place).geturl(), headers={"Authorization": f"Basic {said}"}
    )
