"""Asks a registry, and logs in there in the way that it wants."""

import re
from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode, urlsplit

from lycatra_appservice.toolkit.base import JSON, HttpAnswer, OutboundError
from lycatra_appservice.tools.updates._watch_settings import ImageWatch
from lycatra_appservice.tools.updates._watching.asking import Asking
from lycatra_appservice.tools.updates._watching.port import SourceDownError

_PARAMETER: Final = re.compile(r'([a-z_]+)\s*=\s*(?:"([^"]*)"|([^\s",]+))', re.IGNORECASE)
_LONGEST_CHALLENGE: Final = 2000
_LONGEST_TOKEN: Final = 16_384
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Registry:
    """That of one image, for one look: it is asked as a stranger until it wants more."""

    def __init__(self, source: ImageWatch, asking: Asking) -> None:
        self._source = source
        self._asking = asking
        self._login: Mapping[str, str] = {}

    async def get(
        self, url: str, headers: Mapping[str, str] = _NOTHING, *, method: str = "GET"
    ) -> HttpAnswer:
        """The answer whatever its status. Raises SourceDownError."""
        answer = await self._asking.get(url, {**headers, **self._login}, method)
        if answer.status != 401 or self._login:
            return answer
        self._login = await _answer_to(answer, self._source, self._asking)
        return await self._asking.get(url, {**headers, **self._login}, method)


async def _answer_to(
    challenged: HttpAnswer, source: ImageWatch, asking: Asking
) -> Mapping[str, str]:
    challenge = challenged.headers.get("WWW-Authenticate", "")[:_LONGEST_CHALLENGE]
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() == "bearer":
        said = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
        return {"Authorization": f"Bearer {await _token(source, said, asking)}"}
    if scheme.lower() != "basic":
        raise SourceDownError("it wants a login of a kind that I do not know (HTTP 401)")
    if not _login(source):
        raise SourceDownError("it wants a user and a password (HTTP 401)")
    return _login(source)


async def _token(source: ImageWatch, said: Mapping[str, str], asking: Asking) -> str:
    realm = said.get("realm", "")
    login = _login(source)
    if login and not _may_be_told(realm, source.api):
        raise SourceDownError("it wants the password sent without encryption to another place")
    wanted = {"service": said.get("service", ""), "scope": f"repository:{source.path}:pull"}
    asked = urlencode({name: value for name, value in wanted.items() if value})
    answer = await asking.get(f"{realm}{'&' if '?' in realm else '?'}{asked}", login)
    if answer.status in (401, 403):
        raise SourceDownError("its login refuses " + ("the password" if login else "strangers"))
    asking.check(answer)
    return _token_in(answer)


def _token_in(answer: HttpAnswer) -> str:
    try:
        said = answer.json()
    except OutboundError as exc:
        raise SourceDownError("its login gives no JSON") from exc
    found: JSON = None
    if isinstance(said, Mapping):
        found = said.get("token") or said.get("access_token")
    is_one = isinstance(found, str) and 0 < len(found) <= _LONGEST_TOKEN
    if not is_one or not found.isascii() or not found.isprintable():
        raise SourceDownError("its login gives no token")
    return str(found)


def _login(source: ImageWatch) -> Mapping[str, str]:
    if source.username is None or source.password is None:
        return {}
    both = f"{source.username}:{source.password.get_secret_value()}"
    return {"Authorization": f"Basic {b64encode(both.encode()).decode()}"}


def _may_be_told(realm: str, api: str) -> bool:
    """Encrypted, or where the registry itself is asked."""
    try:
        there, here = urlsplit(realm), urlsplit(api)
    except ValueError:
        return False
    return there.scheme == "https" or (there.scheme, there.netloc) == (here.scheme, here.netloc)
