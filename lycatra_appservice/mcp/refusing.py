"""How a request is refused before the protocol proper has it: by a status, and a word of why."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from mcp_types.jsonrpc import INVALID_REQUEST

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.mcp.wire import encoded, error_message
from lycatra_appservice.model import JSON

JSON_TYPE: Final = "application/json"


class RefusedError(LycatraError):
    """A request that is not served; becomes its answer."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: int = INVALID_REQUEST,
        data: JSON = None,
        request_id: JSON = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self._body = error_message(request_id, code, message, data)

    def response(self) -> web.Response:
        """The answer: a JSON-RPC error, which every client can show."""
        return web.Response(
            status=self.status,
            body=encoded(self._body),
            content_type=JSON_TYPE,
            headers=self.headers,
        )
