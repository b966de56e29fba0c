"""One record for each HTTP request: quiet about probes, loud about failures."""

import logging
from typing import Final

from aiohttp.abc import AbstractAccessLogger
from aiohttp.web import BaseRequest, Request, StreamResponse

_WATCHED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_FAILED: Final = 500
_REFUSED: Final = 400


class AccessLog(AbstractAccessLogger):
    """For `web.AppRunner(access_log_class=AccessLog)`.

    Logs the route, never the address asked for: that may hold a token or somebody's name.
    """

    def log(self, request: BaseRequest, response: StreamResponse, time: float) -> None:
        """Write one `http_request` record; `time` is in seconds."""
        route = _route(request)
        level = _level(route, response.status)
        if not self.logger.isEnabledFor(level):
            return
        self.logger.log(
            level,
            "http_request",
            extra={
                "method": request.method,
                "route": route,
                "status": response.status,
                "took_ms": round(time * 1000, 1),
                "remote": request.remote,
            },
        )


def _route(request: BaseRequest) -> str:
    if not isinstance(request, Request):
        return "unreadable"
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def _level(route: str, status: int) -> int:
    if route in _WATCHED:
        return logging.DEBUG
    if status >= _FAILED:
        return logging.WARNING
    # What works has a canonical line of its own: the turn that came of it.
    return logging.INFO if status >= _REFUSED else logging.DEBUG
