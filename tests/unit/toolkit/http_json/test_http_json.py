"""Tools without code: what they ask, what they tell, and what is said when that fails."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.errors import InvalidArgumentsError, NotAllowedError, ToolFailedError
from lycatra_appservice.settings import OwnTools
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.own.search import find_tools
from tests.support.json_peer import JsonPeer, open_json_peer
from tests.support.toolbench import OPERATOR, VIEWER, bench

STATUS = {
    "name": "get_hoster_status",
    "title": "Status of our hoster",
    "summary": "Says whether our hoster has incidents now. Use it when something of ours is slow.",
    "url": "/api/v2/incidents/unresolved.json",
    "items": "incidents",
    "fields": [
        {"key": "name", "label": "Incident"},
        {"key": "impact", "label": "Impact", "words": {"major": "a large outage"}},
        {"key": "created_at", "label": "Since", "kind": "time"},
    ],
    "when_empty": "Our hoster has no incident.",
}
ISSUES = {
    "name": "list_issues",
    "namespace": "tracker",
    "title": "Issues",
    "summary": "Lists issues of a project, by words in them. Use it for reported faults.",
    "url": "/api/v1/repos/{project}/issues?state={state}&q={text}&page={page}&limit={page_size}",
    "arguments": [
        {
            "name": "project",
            "kind": "choice",
            "choices": ["shop/web", "shop/api"],
            "description": "Which one.",
        },
        {"name": "text", "description": "Words in it.", "optional": True},
        {
            "name": "state",
            "kind": "choice",
            "choices": ["open", "closed"],
            "default": "open",
            "description": "Open or closed ones.",
        },
    ],
    "headers": [{"name": "Authorization", "before": "token ", "value": "tracker-secret"}],
    "page_size": 3,
    "fields": [
        {"key": "number", "label": "#"},
        {"key": "title", "label": "Title"},
        {"key": "labels.name", "label": "Labels"},
        {"key": "user.login", "label": "By"},
        {"key": "html_url", "label": "Link", "kind": "link"},
    ],
}


@pytest.fixture
async def peer() -> AsyncIterator[JsonPeer]:
    async with open_json_peer() as found:
        yield found


def an_issue(number: int, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "title": f"Issue {number}",
        "labels": [{"name": "bug"}, {"name": "ui"}],
        "user": {"login": "ada"},
        "html_url": f"https://git.example/{number}",
        **more,
    }


@asynccontextmanager
async def tool_of(server: str, configured: dict[str, Any], **more: Any) -> AsyncIterator[Any]:
    """Call the tool that is configured so, at this server."""
    whole = {**configured, **more}
    whole["url"] = f"{server}{whole['url']}"
    places = OwnTools.model_validate({"packages": False, "http_json": [whole]})
    found = find_tools(places)
    assert found.problems == ()
    settings = {each.name: each.settings() for each in found.registry.namespaces}
    async with bench(registry=found.registry, settings=settings, zone="Europe/Berlin") as on:

        async def call(user: Any = VIEWER, **arguments: Any) -> ToolResult:
            async with asyncio.timeout(20):
                return await on.toolbox(user).call(configured["name"], arguments)

        yield call


async def test_a_status_page_is_told_in_the_words_of_the_configuration(peer: JsonPeer) -> None:
    peer.document = {
        "incidents": [
            {"name": "Disks | slow", "impact": "major", "created_at": "2026-11-22T10:00:00Z"},
            {"name": "DNS", "impact": "minor", "created_at": 1795341600},
        ]
    }
    async with tool_of(peer.url, STATUS) as call:
        result = await call()

    assert result.markdown.splitlines() == [
        "**Status of our hoster** (times in Europe/Berlin)",
        "",
        "| Incident | Impact | Since |",
        "| --- | --- | --- |",
        "| Disks \\| slow | a large outage | 2026-11-22 11:00 |",
        "| DNS | minor | 2026-11-22 11:00 |",
    ]
    assert result.data == {
        "entries": [
            {
                "incident": "Disks | slow",
                "impact": "a large outage",
                "since": "2026-11-22T11:00:00+01:00",
            },
            {"incident": "DNS", "impact": "minor", "since": "2026-11-22T11:00:00+01:00"},
        ],
        "page": 1,
    }


async def test_nothing_has_words_of_its_own(peer: JsonPeer) -> None:
    peer.document = {"incidents": []}
    async with tool_of(peer.url, STATUS) as call:
        result = await call()

    assert result.markdown == "Our hoster has no incident."
    assert result.data == {"entries": [], "page": 1}


async def test_one_object_is_told_as_a_list_of_facts_with_their_units(peer: JsonPeer) -> None:
    peer.document = {"status": {"lag": 12.5, "ok": True, "note": None, "where": {"a": 1}}}
    fields = [
        {"key": "lag", "label": "Behind", "unit": "ms"},
        {"key": "ok", "label": "Works"},
        {"key": "note", "label": "Note"},
        {"key": "where", "label": "Where"},
    ]
    async with tool_of(peer.url, STATUS, items="status", fields=fields) as call:
        result = await call()

    assert result.markdown.splitlines()[2:] == ["- Behind: 12.5 ms", "- Works: yes"]
    assert result.data["entries"] == [
        {"behind_ms": 12.5, "works": True, "note": None, "where": None}
    ]


async def test_issues_are_asked_for_as_the_address_says(peer: JsonPeer) -> None:
    peer.document = [an_issue(7), an_issue(8)]
    async with tool_of(peer.url, ISSUES) as call:
        result = await call(project="shop/web", text="a&b=c/../#?")

    path, _, query = peer.asked[0].partition("?")
    assert path == "/api/v1/repos/shop/web/issues"
    assert parse_qsl(query) == [
        *(("state", "open"), ("q", "a&b=c/../#?"), ("page", "1"), ("limit", "3")),
    ]
    assert peer.headers[0]["Authorization"] == "token tracker-secret"
    assert "| 7 | Issue 7 | bug, ui | ada | <https://git.example/7> |" in result.markdown
    assert result.data["entries"][0]["labels"] == ["bug", "ui"]
    assert result.note is None


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://a b", "https://x/><img src=y>", "matrix:u/x", 7, None]
)
async def test_only_a_link_of_the_web_is_one(peer: JsonPeer, link: Any) -> None:
    peer.document = [an_issue(7, html_url=link)]
    async with tool_of(peer.url, ISSUES) as call:
        result = await call(project="shop/web")

    assert result.data["entries"][0]["link"] is None
    assert "Link" not in result.markdown


async def test_what_is_not_said_is_left_out_of_the_address(peer: JsonPeer) -> None:
    peer.document = []
    async with tool_of(peer.url, ISSUES) as call:
        await call(project="shop/api", state="closed")

    assert peer.asked == ["/api/v1/repos/shop/api/issues?state=closed&page=1&limit=3"]


async def test_pages_of_the_other_side_are_asked_for_one_by_one(peer: JsonPeer) -> None:
    peer.document = [an_issue(number) for number in range(3)]
    async with tool_of(peer.url, ISSUES) as call:
        first = await call(project="shop/web")
        peer.document = [an_issue(4)]
        second = await call(project="shop/web", page=2)

    assert first.note == "there may be more; ask with page=2"
    assert second.note is None
    assert peer.asked[1].endswith("&page=2&limit=3")


async def test_the_other_side_may_say_itself_that_there_is_more(peer: JsonPeer) -> None:
    link = {"Link": '<https://x/?page=2>; rel="next", <https://x/?page=9>; rel="last"'}
    peer.instead = lambda _: web.json_response([an_issue(1)], headers=link)
    async with tool_of(peer.url, ISSUES) as call:
        assert (await call(project="shop/web")).note == "there may be more; ask with page=2"


async def test_an_address_may_count_entries_instead_of_pages(peer: JsonPeer) -> None:
    peer.document = []
    url = "/all?start={offset}&count={page_size}"
    async with tool_of(peer.url, STATUS, url=url, items="", page_size=5) as call:
        await call(page=3)

    assert peer.asked == ["/all?start=10&count=5"]


async def test_a_list_without_pages_is_shown_in_pages(peer: JsonPeer) -> None:
    peer.document = {"incidents": [{"name": f"n{number}"} for number in range(45)]}
    async with tool_of(peer.url, STATUS) as call:
        first, last, beyond = await call(), await call(page=3), await call(page=4)

    assert first.note == "25 more left out; ask with page=2"
    assert [each["incident"] for each in last.data["entries"]] == [f"n{n}" for n in range(40, 45)]
    assert last.note is None
    assert beyond.data["entries"] == []


@pytest.mark.parametrize("text", ["..", ".", "...", ""])
async def test_nothing_said_leads_to_another_path(peer: JsonPeer, text: str) -> None:
    arguments = [{"name": "which", "description": "Its name."}]
    async with tool_of(peer.url, STATUS, url="/open/{which}/x", arguments=arguments) as call:
        with pytest.raises(InvalidArgumentsError):
            await call(which=text)
        peer.document = {"incidents": []}
        await call(which="../../secret?a=b#c")

    assert [each.replace("%3D", "=") for each in peer.asked] == [
        "/open/..%2F..%2Fsecret%3Fa=b%23c/x"
    ]


@pytest.mark.parametrize(
    "wrong",
    [{}, {"project": "else/where"}, {"project": "shop/web", "state": "all"}, {"text": "x" * 101}],
)
async def test_what_the_configuration_does_not_allow_is_not_asked(
    peer: JsonPeer, wrong: dict[str, str]
) -> None:
    async with tool_of(peer.url, ISSUES) as call:
        with pytest.raises(InvalidArgumentsError):
            await call(**wrong)

    assert peer.asked == []


async def test_the_level_of_the_configuration_counts(peer: JsonPeer) -> None:
    peer.document = {"incidents": []}
    async with tool_of(peer.url, STATUS, level="operator") as call:
        with pytest.raises(NotAllowedError):
            await call()
        assert (await call(OPERATOR)).data["entries"] == []


@pytest.mark.parametrize(
    ("instead", "sentence"),
    [
        (
            lambda _: web.Response(status=401),
            "I am not let in (HTTP 401). "
            "Whoever runs me should look at its `headers` in `own_tools.http_json`.",
        ),
        (
            lambda _: web.Response(status=404),
            "there is no such thing (HTTP 404). Is what you asked for spelled rightly?",
        ),
        (
            lambda _: web.Response(status=422),
            "it does not take what I asked (HTTP 422). Ask in another way.",
        ),
        (
            lambda _: web.Response(status=429, headers={"Retry-After": "30"}),
            "it has been asked too often (HTTP 429). Try again in 30 s.",
        ),
        (
            lambda _: web.Response(status=503),
            "it does not work now (HTTP 503). Try again in a minute.",
        ),
        (
            lambda _: web.Response(status=304),
            "it answers HTTP 304. "
            "Whoever runs me should look at its `url` in `own_tools.http_json`.",
        ),
        (
            lambda _: web.Response(text="<html>Log in</html>", content_type="text/html"),
            "what answers there gives no JSON. "
            "Whoever runs me should look at its `url` in `own_tools.http_json`.",
        ),
        (
            lambda _: web.json_response({"else": []}),
            "its answer has no list at `incidents`. "
            "Whoever runs me should look at its `items` in `own_tools.http_json`.",
        ),
        (
            lambda _: web.json_response("text"),
            "its answer has no list at `incidents`. "
            "Whoever runs me should look at its `items` in `own_tools.http_json`.",
        ),
        (
            lambda _: web.Response(body=b" " * 3_000_000),
            "its answer is larger than 2,097,152 bytes. "
            "Ask for less; whoever runs me can have its `url` ask for {page_size} at a time.",
        ),
    ],
)
async def test_what_goes_wrong_says_what_to_do(
    peer: JsonPeer, instead: Any, sentence: str
) -> None:
    peer.instead = instead
    async with tool_of(peer.url, STATUS) as call:
        with pytest.raises(ToolFailedError) as failed:
            await call()

    assert failed.value.user_message == f"I got nothing for `get_hoster_status`: {sentence}"


async def test_a_dead_peer_is_told_without_its_address_and_key() -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with tool_of(dead, ISSUES) as call:
            with pytest.raises(ToolFailedError) as failed:
                await call(project="shop/web")

    said = str(failed.value.user_message)
    assert said.startswith("I got nothing for `list_issues`: connection refused.")
    assert "127.0.0.1" not in said
    assert "tracker-secret" not in said


async def test_a_slow_peer_is_not_waited_for(peer: JsonPeer) -> None:
    released = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/{rest:.*}", hang)
    async with TestServer(app, host="127.0.0.1") as server:
        url = str(server.make_url("")).rstrip("/")
        async with tool_of(url, STATUS, timeout_seconds=0.05) as call:
            with pytest.raises(ToolFailedError) as failed:
                await call()
        released.set()

    assert "no answer within 0.05 s. Try again in a minute." in str(failed.value.user_message)


async def test_a_redirect_takes_no_key_along_and_does_not_lead_inside(peer: JsonPeer) -> None:
    async with open_json_peer() as other:
        peer.instead = lambda _: web.Response(status=302, headers={"Location": f"{other.url}/in"})
        async with tool_of(peer.url, ISSUES) as call:
            with pytest.raises(ToolFailedError) as failed:
                await call(project="shop/web")

        assert other.asked == []
    assert "it redirects to where tools may not go" in str(failed.value.user_message)


@pytest.mark.parametrize(
    "garbage",
    [
        [None, 7, "text", [], [[]], True],
        [{"name": {"a": [1]}, "impact": [[1]], "created_at": []}],
        [{"name": "x" * 5000, "impact": "\x00\u202e", "created_at": 1e300}],
        [{"name": "a\nb", "impact": 10**30, "created_at": "not a time"}],
        [{"labels": {}, "created_at": -1e18}],
    ],
)
async def test_any_json_is_told_or_passed_over(peer: JsonPeer, garbage: Any) -> None:
    peer.document = {"incidents": garbage}
    async with tool_of(peer.url, STATUS) as call:
        result = await call()

    json.dumps(result.data, allow_nan=False)
    assert len(result.data["entries"]) == len(garbage)
    assert len(result.markdown) < 2000
