"""The revision of 2026-07-28 and later: every POST stands alone, and closing it cancels."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundLadderRejection,
    InboundModernRoute,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
)
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp_types.jsonrpc import HEADER_MISMATCH

from lycatra_appservice.mcp.bearer import BEARER
from lycatra_appservice.mcp.channel import Channel
from lycatra_appservice.mcp.exchange import Exchange
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.kernel import Kernel, enveloped
from lycatra_appservice.mcp.message import checked_request, is_notification
from lycatra_appservice.mcp.refusing import RefusedError
from lycatra_appservice.model import JSON

VERSION_HEADER: Final = "MCP-Protocol-Version"
_PARAM_PREFIX: Final = "mcp-param-"


class ModernLeg:
    """Answers them."""

    def __init__(self, kernel: Kernel, here: Here, ping_seconds: float) -> None:
        self._ping_seconds = ping_seconds
        self._kernel = kernel
        self._here = here

    async def post(self, request: web.Request, message: dict[str, JSON]) -> web.StreamResponse:
        """Answer a message. Raises RefusedError."""
        if is_notification(message):
            return self._told(request)
        request_id, method, params = checked_request(message)
        route = self._route(request, message, request_id)
        if method == "tools/call":
            self._check_param_headers(request, params or {}, request_id)
        channel = Channel(request, request_id, progress_token_from_params(params))
        connection = enveloped(
            route.protocol_version, route.client_info, route.client_capabilities
        )
        exchange = Exchange(
            request,
            request_id,
            channel.outbox,
            with_status=True,
            ping_seconds=self._ping_seconds,
        )
        with self._here.call(exchange, request[BEARER].token_id, None, request_id):
            return await exchange.run(self._kernel.request(connection, channel, method, params))

    def _told(self, request: web.Request) -> web.Response:
        """This revision has no notifications by HTTP; whoever sends one all the same is let go."""
        version = request.headers.get(VERSION_HEADER, "")
        rejection = unsupported_protocol_version_rejection(version)
        if rejection is not None:
            raise _refused(rejection, None)
        return web.Response(status=202)

    def _route(
        self, request: web.Request, message: Mapping[str, JSON], request_id: JSON
    ) -> InboundModernRoute:
        twice = find_duplicated_routing_header(request.headers.items())
        if twice is not None:
            words = f"the header {twice} came more than once"
            raise _refused(InboundLadderRejection(HEADER_MISMATCH, words), request_id)
        route = classify_inbound_request(message, headers=_folded(request))
        if isinstance(route, InboundLadderRejection):
            raise _refused(route, request_id)
        return route

    def _check_param_headers(
        self, request: web.Request, params: Mapping[str, JSON], request_id: JSON
    ) -> None:
        name, arguments = params.get("name"), params.get("arguments") or {}
        look_up = self._kernel.server.get_tool_input_schema
        if look_up is None or not isinstance(name, str) or not isinstance(arguments, dict):
            return
        if not arguments and not any(_is_param(header) for header in request.headers):
            return
        schema = look_up(name)
        if schema is None:
            return
        rejection = validate_mcp_param_headers(schema, arguments, request.headers)
        if rejection is not None:
            raise _refused(rejection, request_id)


def _folded(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _is_param(header: str) -> bool:
    return header.lower().startswith(_PARAM_PREFIX)


def _refused(rejection: InboundLadderRejection, request_id: JSON) -> RefusedError:
    return RefusedError(
        ERROR_CODE_HTTP_STATUS.get(rejection.code, 400),
        rejection.message,
        code=rejection.code,
        data=rejection.data,
        request_id=request_id,
    )
