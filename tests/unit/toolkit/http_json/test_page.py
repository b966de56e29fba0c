"""What docs/HTTP_JSON.md shows is what its examples give, at the places that they name."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web

from lycatra_appservice.model import JSON
from lycatra_appservice.settings_file import load_own_tools
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.own.search import find_tools
from tests.support.config_folder import SMALLEST, write_config
from tests.support.lesson import DOCS, blocks_of
from tests.support.small_internet import small_internet
from tests.support.toolbench import bench

_ADDRESS = "93.184.216.34"
_INCIDENTS = {
    "incidents": [
        {
            "name": "Slow disks",
            "impact": "major",
            "created_at": "2026-11-22T08:30:00.000Z",
            "shortlink": "https://stspg.example/x1",
        }
    ]
}
_ISSUES = [
    {
        "number": 42,
        "title": "Invoice without a number",
        "labels": [{"name": "bug"}, {"name": "urgent"}],
        "user": {"login": "ada"},
        "created_at": "2026-11-20T16:05:00+01:00",
        "html_url": "https://git.example.org/shop/web/issues/42",
    },
    {
        "number": 38,
        "title": "Invoices as PDF",
        "labels": [],
        "user": {"login": "bob"},
        "created_at": "2026-11-02T07:00:00Z",
        "html_url": "https://git.example.org/shop/web/issues/38",
    },
]
_GIVEN: Mapping[str, JSON] = {
    "/api/v2/incidents/unresolved.json": _INCIDENTS,
    "/api/v1/repos/shop/web/issues": _ISSUES,
}


async def answer(request: web.Request) -> web.Response:
    """As the hosts of the page."""
    if request.path.endswith("/issues"):
        assert request.headers["Authorization"] == "token tracker-secret"
        assert dict(request.query) == {
            "type": "issues",
            "state": "open",
            "q": "invoice",
            "page": "1",
            "limit": "10",
        }
    return web.json_response(_GIVEN[request.path])


def quoted(heading: str) -> str:
    """What the page shows as the answer."""
    text = (DOCS / "HTTP_JSON.md").read_text("utf-8").partition(f"## {heading}")[2]
    found = re.search(r"(?:^>.*\n)+", text, re.MULTILINE)
    assert found
    return re.sub(r"(?m)^> ?", "", found[0]).rstrip()


@pytest.mark.parametrize(
    ("heading", "name", "tool", "arguments"),
    [
        ("A status page", "status.example.com", "get_hoster_status", {}),
        (
            "An issue tracker",
            "git.example.org",
            "list_issues",
            {"project": "shop/web", "text": "invoice"},
        ),
    ],
)
async def test_an_example_gives_what_the_page_shows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    heading: str,
    name: str,
    tool: str,
    arguments: Mapping[str, str],
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/tracker-token").write_text("tracker-secret\n")
    [block] = [each for each in blocks_of("HTTP_JSON.md", heading) if each.kind == "yaml"]
    # The same without TLS, whose authorities cannot be changed in a process that has begun.
    text = block.text.replace(f"https://{name}", f"http://{name}")
    config = write_config(tmp_path, SMALLEST + text)
    registry = find_tools(load_own_tools(config, {})).registry
    async with small_internet(monkeypatch) as internet:
        internet.name(name, [_ADDRESS])
        await internet.serve(_ADDRESS, 80, answer)
        async with bench(
            registry=registry, zone="Europe/Berlin", make_resolver=lambda: internet.names
        ) as on:
            result: ToolResult = await on.toolbox().call(tool, arguments)

    assert result.markdown == quoted(heading)
    assert internet.canary_visits == 0
