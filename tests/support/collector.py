"""A collector of traces on loopback: decodes what OTLP over HTTP brings, or fails as told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A span as it came."""

    name: str
    trace: bytes
    id: bytes
    parent: bytes
    kind: int
    failed: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


class Collector:
    """Keeps all spans. `status` is what it answers; `hangs` that it never does."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.headers: list[Mapping[str, str]] = []
        self.bodies: list[bytes] = []
        self.status = 200
        self.hangs = False
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._server = TestServer(app, host="127.0.0.1")

    @property
    def url(self) -> str:
        return str(self._server.make_url("/")).rstrip("/")

    def named(self, beginning: str) -> list[Seen]:
        """The spans whose names begin so, in the order in which they ended."""
        return [span for span in self.spans if span.name.startswith(beginning)]

    def one(self, beginning: str) -> Seen:
        [found] = self.named(beginning)
        return found

    async def start(self) -> None:
        await self._server.start_server()

    async def stop(self) -> None:
        await self._server.close()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.headers.append(request.headers)
        if self.hangs:
            await asyncio.Event().wait()
        if self.status == 200:
            self.bodies.append(body)
            self._read(ExportTraceServiceRequest.FromString(body))
        return web.Response(status=self.status)

    def _read(self, sent: ExportTraceServiceRequest) -> None:
        for of_resource in sent.resource_spans:
            resource = {each.key: _value(each.value) for each in of_resource.resource.attributes}
            for of_scope in of_resource.scope_spans:
                self.spans += [_seen(span, resource) for span in of_scope.spans]


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """A running one."""
    made = Collector()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def _seen(span: WireSpan, resource: Mapping[str, Any]) -> Seen:
    return Seen(
        name=span.name,
        trace=span.trace_id,
        id=span.span_id,
        parent=span.parent_span_id,
        kind=span.kind,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes={each.key: _value(each.value) for each in span.attributes},
        resource=resource,
    )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind or "string_value")
