"""What transcripts say that tools give has the shape of what the tools really give."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.discovery import discover
from tests.support.prometheus import Curve, open_prometheus
from tests.support.toolbench import OPERATOR, bench
from tests.transcripts.transcript import shipped

# What containers and workloads have beside the rest.
_OF_CONTAINERS = {"image_tags", "restarts", "running_since"}
_DEPLOYMENT = {
    "date": "2026-11-21T09:12:00Z",
    "service": "shop",
    "version": "2.3.0",
    "title": "Invoices",
}


# What a tool is asked, where that is not nothing; each may give another shape.
_ASKED: Mapping[str, Sequence[Mapping[str, JSON]]] = {
    "get_service_status": [{}, {"service": "shop"}],
    "query_metrics": [{}, {"name": "load"}],
    "read_doc": [{}, {"name": "docs://lycatra/ROOMS"}],
    "search_docs": [{"query": "room"}],
    "remember": [{"text": "The router is in the cellar."}],
    "recall": [{}, {"forget": 1}],
    "remind_me": [{"when": "in 2 hours", "text": "Tea"}, {}, {"cancel": 1}],
}


@pytest.fixture
async def real(tmp_path: Path) -> Mapping[str, Sequence[JSON]]:
    """What the reading tools give when they are run."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="Welcome")

    app = web.Application()
    app.router.add_get("/", answer)
    (tmp_path / "shop.log").write_text("2026-11-22T11:00:00Z ERROR no answer", encoding="utf-8")
    (tmp_path / "deploys.jsonl").write_text(json.dumps(_DEPLOYMENT), encoding="utf-8")
    registry = discover()
    async with (
        TestServer(app, host="127.0.0.1") as server,
        _speaking_tls() as encrypted,
        open_prometheus() as monitoring,
    ):
        monitoring.curves["load1"] = [Curve(course=lambda _: 0.5)]
        url = str(server.make_url("/"))
        sections: Mapping[str, JSON] = {
            "updates": {"sources": [{"name": "d", "kind": "deploy_log", "path": "deploys.jsonl"}]},
            "logs": {"sources": [{"name": "shop", "kind": "file", "path": "shop.log"}]},
            "metrics": {
                "url": monitoring.url,
                "queries": [{"name": "load", "title": "Load", "query": "load1"}],
            },
            "services": {
                "checks": [{"name": "shop", "kind": "http", "url": url}],
                "certificates": [f"localhost:{encrypted}"],
            },
        }
        settings = {
            each.name: each.settings.model_validate(sections.get(each.name, {}))
            for each in registry.namespaces
        }
        async with bench(registry=registry, settings=settings, folder=tmp_path) as on:
            box = on.toolbox(OPERATOR)
            return {
                tool.name: [
                    (await box.call(tool.name, asked)).data
                    for asked in _ASKED.get(tool.name, [{}])
                ]
                for tool in reversed(registry.tools)  # remember goes before recall
                if not tool.changes
            }


@asynccontextmanager
async def _speaking_tls() -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(end, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_results_have_the_shape_that_the_tools_give(
    real: Mapping[str, Sequence[JSON]],
) -> None:
    for transcript in shipped():
        made = [*transcript.calls, *(call for each in transcript.history for call in each.calls)]
        for call in made:
            if call.call in real and call.result is not None:
                odd = [_odd(call.result, each) for each in real[call.call]]
                assert [] in odd, (transcript.name, odd)


def test_a_restart_tells_at_least_what_every_restart_tells() -> None:
    restarts = [
        call.result
        for each in shipped()
        for call in each.calls
        if call.call == "restart_service" and call.result is not None
    ]
    assert restarts
    assert all({"service", "restarted", "took_ms"} <= result.keys() for result in restarts)


def _odd(given: JSON, real: JSON, place: str = "result") -> list[str]:
    """Where `given` has other keys, or another kind of value, than `real`."""
    if isinstance(real, dict) and isinstance(given, dict):
        if given.keys() - _OF_CONTAINERS != real.keys() - _OF_CONTAINERS:
            return [f"{place}: {sorted(given)} instead of {sorted(real)}"]
        return [
            odd
            for key in given.keys() & real.keys()
            for odd in _odd(given[key], real[key], f"{place}.{key}")
        ]
    if isinstance(real, list) and isinstance(given, list):
        return [odd for entry in given for odd in _odd(entry, real[0], place)] if real else []
    same = given is None or real is None or isinstance(given, type(real))
    return [] if same else [f"{place}: {given!r} instead of {real!r}"]
