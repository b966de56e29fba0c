"""GET /healthz, /readyz and /metrics, for the probes of an orchestrator and for Prometheus."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from aiohttp import web

from lycatra_appservice import __version__
from lycatra_appservice.model import JSON
from lycatra_appservice.ops.health import HealthBoard, Readiness
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.toolkit.base import Component

# Orchestrators give a probe one second by default.
_PATIENCE: Final = timedelta(milliseconds=500)
_NO_STORE: Final = {"Cache-Control": "no-store"}


def ops_routes(
    board: HealthBoard, readiness: Readiness, metrics: Metrics
) -> Sequence[web.RouteDef]:
    """Make the routes; the caller decides on which listener they are found."""
    handlers = _Handlers(board, readiness, metrics)
    return [
        web.get("/healthz", handlers.healthz),
        web.get("/readyz", handlers.readyz),
        web.get("/metrics", handlers.metrics),
    ]


class _Handlers:
    def __init__(self, board: HealthBoard, readiness: Readiness, metrics: Metrics) -> None:
        self._board = board
        self._readiness = readiness
        self._metrics = metrics

    async def healthz(self, _: web.Request) -> web.Response:
        """Answer 200 while the process lives, whatever state its parts are in."""
        parts = {part.name: _shown(part) for part in await self._board.components(_PATIENCE)}
        return web.json_response(
            {"status": "ok", "version": __version__, "components": parts}, headers=_NO_STORE
        )

    async def readyz(self, _: web.Request) -> web.Response:
        """Answer 200 when this replica may be given work, else 503 with the reasons."""
        reasons = await self._readiness.reasons(_PATIENCE)
        return web.json_response(
            {"ready": not reasons, "reasons": reasons},
            status=503 if reasons else 200,
            headers=_NO_STORE,
        )

    async def metrics(self, _: web.Request) -> web.Response:
        """Answer with the text format of Prometheus."""
        text, content_type = self._metrics.exposition()
        return web.Response(body=text, headers={"Content-Type": content_type, **_NO_STORE})


def _shown(component: Component) -> JSON:
    since = component.since
    return {
        "ok": component.ok,
        "detail": component.detail,
        "since": since.isoformat(timespec="seconds") if since else None,
    }
