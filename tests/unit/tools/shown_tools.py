"""What docs/TOOLS.md shows of each tool: a configuration, and requests whose answers were given.

A tool without an entry here fails the test of the page.
"""

import asyncio
import json
import math
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from ruamel.yaml import YAML

from lycatra_appservice.chat.commands import Command, CommandWords
from lycatra_appservice.toolkit.base import JSON, Level, ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.memory import ShortMemory
from lycatra_appservice.toolkit.reserved import RESERVED
from lycatra_appservice.tools.updates._book import Book, Entry, book_to_json
from lycatra_appservice.tools.updates._phase import Ended
from tests.support.prometheus import Course, Curve, Prometheus
from tests.support.small_internet import SmallInternet, small_internet
from tests.support.toolbench import OPERATOR, VIEWER, bench

# How long a check takes is the one thing in an answer that differs from run to run.
_MILLISECONDS = re.compile(r"\b\d+ ms\b")
_ADDRESS, _PUBLIC_ADDRESS = "10.1.2.3", "93.184.216.34"
_GOOD_UNTIL = datetime(2036, 3, 1, tzinfo=UTC)
_DEPLOYS = [
    {"date": "2026-11-21T09:12:00Z", "service": "shop", "version": "2.3.0", "title": "Invoices"},
    {"date": "2026-11-18T15:40:00Z", "service": "user", "version": "2.3.0", "title": "Passkeys"},
    {"date": "2026-10-30T08:00:00Z", "service": "shop", "version": "2.2.1", "title": "Fixes"},
]


_SHOP_LOG = """\
2026-11-22T09:58:00Z INFO order 7 of jane.doe@example.org: paid with token=12345678
2026-11-22T10:02:11Z WARNING no answer from the bank, retrying
2026-11-22T10:02:41Z ERROR payment refused: timeout
"""
_BACKUPS = """\
# Backups

Every night at three the wiki is copied to the second disk.

## Restoring one

Stop the wiki and type `restore latest`. It takes ten minutes.
"""


def _wave(middle: float, hours: float) -> Course:
    return lambda when: middle * (1 + 0.2 * math.sin(when / 3600 / hours))


_CURVES: dict[str, Sequence[Curve]] = {
    'sum(rate(http_requests_total{job="shop"}[300s]))': [Curve(course=_wave(41.7, 4))],
    "process_resident_memory_bytes": [
        Curve(course=_wave(310e6, 1), labels={"instance": "web1"}),
        Curve(course=_wave(1.9e9, 2), labels={"instance": "web2"}),
    ],
}
_HANDBOOK = """\
sets:
  - {name: handbook, folder: .}
"""


def _deployment(version: str, previous: str, began_at: datetime, **ended: Any) -> Entry:
    return Entry(
        deployment_id=version,
        version=version,
        previous=previous,
        is_back=False,
        asked_by=OPERATOR,
        approved_by=[OPERATOR],
        began_at=began_at,
        ended_at=began_at + timedelta(minutes=2),
        **ended,
    )


_SHOP_DEPLOYMENTS = Book(
    good="2.3.0",
    entries=[
        _deployment(
            *("2.4.0", "2.3.0", datetime(2026, 11, 21, 16, 5, tzinfo=UTC)),
            ended=Ended.ROLLED_BACK,
            why="Health check: not well after 60 s: HTTP 500.",
        ),
        _deployment("2.3.0", "2.2.1", datetime(2026, 11, 21, 9, 12, tzinfo=UTC), ended=Ended.KEPT),
    ],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How a tool is shown; `config` is YAML below `tools.<namespace>:`."""

    requests: Sequence[str]  # without the prefix
    config: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, JSON] = field(default_factory=dict)  # what is remembered from before
    kept_here: Mapping[str, JSON] = field(default_factory=dict)  # of the place it is asked in


SHOWN: Mapping[str, Shown] = {
    "help": Shown(requests=["help"]),
    "remember": Shown(requests=["remember the router is in the cellar"]),
    "recall": Shown(
        kept_here={
            "fact:next": 2,
            "fact:1": {
                "text": "the router is in the cellar",
                "by": VIEWER,
                "at": "2026-11-20T09:00:00+00:00",
            },
            "fact:2": {
                "text": "bins go out on Thursday",
                "by": OPERATOR,
                "at": "2026-11-21T09:00:00+00:00",
            },
        },
        requests=["recall", "recall router", "recall forget=1"],
    ),
    "remind_me": Shown(
        requests=[
            "remind me tomorrow 9:00 water the plants",
            "remind me",
            "remind me cancel=1",
        ]
    ),
    "list_updates": Shown(
        config="""\
sources:
  - {name: deployments, kind: deploy_log, path: deploys.jsonl}
""",
        files={"deploys.jsonl": "".join(f"{json.dumps(each)}\n" for each in _DEPLOYS)},
        requests=["list updates limit=2", "list updates service=user"],
    ),
    "list_deployments": Shown(
        config="""\
deploy:
  - {service: shop, kind: command, apply: [/usr/local/bin/roll-out, '{version}']}
""",
        kept={"deployments:shop": book_to_json(_SHOP_DEPLOYMENTS)},
        requests=["list deployments", "list deployments shop limit=1"],
    ),
    "check_certificate": Shown(
        config="""\
checks:
  - {name: shop, kind: http, url: 'https://shop.example/'}
certificates: ['mail.example:993']
""",
        requests=["check certificate", "check certificate shop.example"],
    ),
    "get_service_status": Shown(
        config="""\
checks:
  - {name: wiki, kind: http, url: 'http://wiki.internal:8080/'}
  - {name: database, kind: tcp, address: 'db.internal:5432'}
""",
        requests=["get service status", "get service status wiki"],
    ),
    "query_metrics": Shown(
        config="""\
url: http://prometheus.internal:9090
queries:
  - name: requests
    title: Requests to the shop
    query: sum(rate(http_requests_total{job="shop"}[$step]))
    unit: /s
  - {name: memory, title: Memory of the shop, query: 'process_resident_memory_bytes', unit: B}
""",
        requests=["query metrics", "query metrics memory since=6h"],
    ),
    "search_logs": Shown(
        config="""\
sources:
  - {name: shop, kind: file, path: shop.log}
  - {name: wiki, kind: folder, path: /var/log/wiki}
""",
        files={"shop.log": _SHOP_LOG},
        requests=["search logs since=3h", "search logs timeout level=error"],
    ),
    "search_docs": Shown(
        config=_HANDBOOK,
        files={"Backups.md": _BACKUPS},
        requests=["search docs how to restore a backup limit=1"],
    ),
    "read_doc": Shown(
        config=_HANDBOOK,
        files={"Backups.md": _BACKUPS},
        requests=["read doc docs://handbook/Backups", "read doc backups section=restoring"],
    ),
}


@dataclass(frozen=True, slots=True)
class Answered:
    """A request with the answer that running it gave."""

    request: str
    markdown: str
    note: str | None
    pictures: Sequence[str] = ()  # what is said of each to whoever cannot see it


async def answers_of(
    tool: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Sequence[Answered]:
    """Run every request of a tool through the gate, on an internet of one host that answers."""
    registry, shown = discover(), SHOWN[tool]
    namespace = registry.namespace_of(tool)
    for name, text in shown.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    section = YAML(typ="safe", pure=True).load(shown.config or "{}")
    declared = registry.tool(tool)
    asker = OPERATOR if declared and declared.level > Level.VIEWER else VIEWER
    words = CommandWords({namespace.name: registry.tools_of(namespace.name)}, ["!"])
    memory = ShortMemory()
    for key, value in shown.kept.items():
        await memory.of(namespace.name, "").put(key, value)
    for key, value in shown.kept_here.items():
        await memory.of(namespace.name, asker).put(key, value)
    async with small_internet(monkeypatch) as internet, AsyncExitStack() as on_exit:
        await _open_hosts(internet)
        await on_exit.enter_async_context(_tls_hosts(internet, folder, monkeypatch))
        async with bench(
            registry=registry,
            settings={namespace.name: namespace.settings.model_validate(section)},
            folder=folder,
            memory=memory,
            make_resolver=lambda: internet.names,
        ) as on:
            found = []
            for request in shown.requests:
                command = words.parse(request)
                if request in RESERVED:  # people get the page of that word instead
                    command = Command(request, {})
                assert isinstance(command, Command), request
                result = await on.toolbox(asker).call(command.tool, command.arguments)
                found.append(_answered(request, result))
            return found


async def _open_hosts(internet: SmallInternet) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="Welcome")

    internet.name("wiki.internal", [_ADDRESS])
    internet.name("db.internal", [_ADDRESS])
    await internet.serve(_ADDRESS, 8080, answer)
    internet.refuse(_ADDRESS, 5432)
    internet.name("prometheus.internal", [_ADDRESS])
    await internet.serve(_ADDRESS, 9090, Prometheus(curves=_CURVES).answer)


@asynccontextmanager
async def _tls_hosts(
    internet: SmallInternet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """A shop of a trusted authority, and mail with the certificate of another host."""
    authority = trustme.CA(organization_name="Example authority")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    async with (
        _speaking_tls(authority, "shop.example") as shop,
        _speaking_tls(authority, "www.example") as mail,
    ):
        internet.name("shop.example", [_PUBLIC_ADDRESS])
        internet.lead(_PUBLIC_ADDRESS, 443, shop)
        internet.name("mail.example", [_PUBLIC_ADDRESS])
        internet.lead(_PUBLIC_ADDRESS, 993, mail)
        yield


@asynccontextmanager
async def _speaking_tls(authority: trustme.CA, name: str) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=_GOOD_UNTIL).configure_cert(context)

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(end, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _answered(request: str, result: ToolResult) -> Answered:
    note = str(result.note) if result.note else None
    pictures = [each.description for each in result.files]
    return Answered(request, _MILLISECONDS.sub("3 ms", result.markdown), note, pictures)
