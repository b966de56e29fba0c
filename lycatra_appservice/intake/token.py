"""Whether a request really comes from the homeserver."""

import hmac
from collections.abc import Sequence

from aiohttp import web
from pydantic import SecretStr

_SCHEME = "Bearer "


class HomeserverToken:
    """Checks the `Authorization` header in constant time; two tokens while one is rotated."""

    def __init__(self, accepted: Sequence[SecretStr]) -> None:
        self._accepted = [token.get_secret_value().encode() for token in accepted]

    def refusal(self, request: web.Request) -> web.Response | None:
        """Give the answer for a request without a right token; None when it may go on.

        A token in the query is no token: it would stand in every proxy's log.
        """
        headers = request.headers.getall("Authorization", [])
        if not headers:
            return error_response(401, "M_MISSING_TOKEN", "The homeserver's token is missing.")
        if len(headers) > 1 or not headers[0].startswith(_SCHEME):
            return _forbidden()
        # As bytes: comparing text that is not ASCII raises.
        given = headers[0][len(_SCHEME) :].encode(errors="surrogateescape")
        matches = [hmac.compare_digest(given, token) for token in self._accepted]
        return None if any(matches) else _forbidden()


def error_response(status: int, errcode: str, error: str) -> web.Response:
    """An error as the Matrix specification shapes it."""
    return web.json_response({"errcode": errcode, "error": error}, status=status)


def _forbidden() -> web.Response:
    return error_response(403, "M_FORBIDDEN", "This is not the homeserver's token.")
