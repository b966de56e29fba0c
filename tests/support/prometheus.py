"""A monitoring on this machine that answers like Prometheus, or as a test wants it to."""

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.model import JSON

Course: TypeAlias = Callable[[float], float | None]  # by seconds since 1970; None is a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One series."""

    course: Course
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Prometheus:
    """`curves` by their query; `instead` answers everything when it is set."""

    curves: dict[str, Sequence[Curve]] = field(default_factory=dict)
    instead: Callable[[web.Request], web.StreamResponse] | None = None
    asked: list[Mapping[str, str]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Both kinds of questions."""
        self.asked.append(dict(request.query))
        self.headers.append(dict(request.headers))
        if self.instead is not None:
            return self.instead(request)
        curves = self.curves.get(request.query["query"], ())
        if request.path.endswith("/query"):
            when = float(request.query["time"])
            found = [
                {"metric": dict(each.labels), "value": [when, _written(value)]}
                for each in curves
                if (value := each.course(when)) is not None
            ]
            return _success({"resultType": "vector", "result": found})
        return _success({"resultType": "matrix", "result": _matrix(curves, request.query)})


@asynccontextmanager
async def open_prometheus() -> AsyncIterator[Prometheus]:
    """Serve below `/prometheus`, as behind a proxy."""
    prometheus = Prometheus()
    app = web.Application()
    app.router.add_get("/prometheus/api/v1/{kind:query|query_range}", prometheus.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        prometheus.url = str(server.make_url("/prometheus/"))
        yield prometheus


def refusal(status: int, error: str) -> Callable[[web.Request], web.StreamResponse]:
    """As Prometheus says that something is wrong."""
    body = {"status": "error", "errorType": "bad_data", "error": error}
    return lambda _: web.json_response(body, status=status)


def _matrix(curves: Sequence[Curve], asked: Mapping[str, str]) -> list[JSON]:
    begin, step = float(asked["start"]), float(asked["step"])
    steps = math.floor((float(asked["end"]) - begin) / step + 1e-6)
    times = [begin + number * step for number in range(steps + 1)]
    return [
        {
            "metric": dict(each.labels),
            "values": [
                [when, _written(value)]
                for when in times
                if (value := each.course(when)) is not None
            ],
        }
        for each in curves
    ]


def _written(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)


def _success(data: JSON) -> web.Response:
    return web.json_response({"status": "success", "data": data})
