"""Figures of a monitoring: as they are, how they went, and what is said when there are none."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from lycatra_appservice.errors import InvalidArgumentsError, ToolFailedError
from lycatra_appservice.toolkit.base import Extra, ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.results import MAX_DATA_BYTES
from lycatra_appservice.tools import _charts
from lycatra_appservice.tools.metrics._settings import MetricsSettings
from tests.support.prometheus import Course, Curve, Prometheus, open_prometheus, refusal
from tests.support.toolbench import NOW, bench

REQUESTS = {
    "name": "requests",
    "title": "Requests to the shop",
    "query": "sum(rate(http_requests_total[$step]))",
    "unit": "/s",
}
MEMORY = {"name": "memory", "title": "Memory", "query": "memory_bytes", "unit": "B"}
GIB = 1024.0**3
HOUR = 3600.0


@pytest.fixture
async def prometheus() -> AsyncIterator[Prometheus]:
    async with open_prometheus() as found:
        yield found


@asynccontextmanager
async def asking(url: str, *queries: dict[str, Any], **more: Any) -> AsyncIterator[Any]:
    """Call the tool with these queries."""
    settings = MetricsSettings.model_validate(
        {"url": url, "queries": queries or [REQUESTS], **more}
    )
    async with bench(
        registry=discover(), settings={"metrics": settings}, zone="Europe/Berlin"
    ) as on:

        async def call(**arguments: Any) -> ToolResult:
            async with asyncio.timeout(20):
                return await on.toolbox().call("query_metrics", arguments)

        yield call


def at(when: float) -> float:
    """Hours before now, of seconds since 1970."""
    return (NOW.timestamp() - when) / HOUR


def always(value: float) -> Course:
    return lambda _: value


def served(prometheus: Prometheus, *curves: Curve, step: str = "300s") -> None:
    prometheus.curves[REQUESTS["query"].replace("$step", step)] = curves


async def test_a_figure_is_told_with_its_unit_and_how_it_went(prometheus: Prometheus) -> None:
    served(prometheus, Curve(course=lambda when: 40.0 if 5 < at(when) < 6 else 12.5))
    async with asking(prometheus.url) as call:
        result = await call(name="Requests")

    assert result.markdown.splitlines() == [
        "**Requests to the shop** (2026-11-21 13:00 to 2026-11-22 13:00, Europe/Berlin)",
        "",
        "| Last | Mean | Lowest | Highest |",
        "| --- | --- | --- | --- |",
        "| 12.5 /s | 13.55 /s | 12.5 /s (11-21 13:00) | 40 /s (11-22 07:05) |",
    ]
    [line] = result.data["lines"]
    assert (result.data["unit"], result.data["step_s"]) == ("/s", 300)
    assert line == {
        "name": "",
        "last": 12.5,
        "last_at": "2026-11-22T13:00:00+01:00",
        "mean": 13.5467,
        "lowest": 12.5,
        "lowest_at": "2026-11-21T13:00:00+01:00",
        "highest": 40.0,
        "highest_at": "2026-11-22T07:05:00+01:00",
        "missing_s": 0,
    }
    assert result.note is None


async def test_a_picture_comes_along_and_its_words_say_what_is_in_it(
    prometheus: Prometheus,
) -> None:
    served(prometheus, Curve(course=always(12.5)))
    async with asking(prometheus.url) as call:
        [picture] = (await call(name="requests", since="6h")).files

    assert (picture.name, picture.content_type) == ("requests.png", "image/png")
    assert picture.data.startswith(b"\x89PNG")
    assert picture.description == (
        "Chart of Requests to the shop, from 2026-11-22 07:00 to 2026-11-22 13:00 "
        "(Europe/Berlin): last 12.5 /s, lowest 12.5 /s, highest 12.5 /s."
    )


async def test_without_the_extra_the_words_are_the_same_and_there_is_no_picture(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(prometheus, Curve(course=always(12.5)))
    async with asking(prometheus.url) as call:
        with_picture = await call(name="requests", since="6h")
    missing = Extra(name="charts", module="there_is_no_such_module")
    monkeypatch.setattr(_charts, "CHARTS", missing)
    async with asking(prometheus.url) as call:
        without = await call(name="requests", since="6h")

    assert (without.markdown, without.data) == (with_picture.markdown, with_picture.data)
    assert (len(with_picture.files), len(without.files)) == (1, 0)


async def test_pictures_can_be_turned_off(prometheus: Prometheus) -> None:
    served(prometheus, Curve(course=always(12.5)))
    async with asking(prometheus.url, pictures=False) as call:
        assert (await call(name="requests")).files == ()


async def test_gaps_are_told_and_never_counted(prometheus: Prometheus) -> None:
    served(prometheus, Curve(course=lambda when: None if 1 < at(when) < 7 else 10.0))
    async with asking(prometheus.url) as call:
        result = await call(name="requests", since="12h", until="2026-11-22T12:30")

    [line] = result.data["lines"]
    assert (line["mean"], line["missing_s"]) == (10.0, 71 * 300)
    assert result.markdown.endswith("| 51% |")


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
async def test_what_is_no_number_is_a_gap(prometheus: Prometheus, odd: float) -> None:
    served(prometheus, Curve(course=lambda when: odd if at(when) > 1 else 10.0))
    async with asking(prometheus.url) as call:
        [line] = (await call(name="requests", since="2h")).data["lines"]
        prometheus.curves[REQUESTS["query"].replace("$step", "300s")] = [
            Curve(course=lambda _: odd)
        ]
        all_of_it = await call(name="requests", since="3h")
        now = await call()

    assert (line["mean"], line["highest"], line["missing_s"]) == (10.0, 10.0, 3600)
    assert all_of_it.data["lines"] == []
    assert now.data["figures"][0]["values"] == []


async def test_a_last_value_that_is_old_says_from_when_it_is(prometheus: Prometheus) -> None:
    served(prometheus, Curve(course=lambda when: 10.0 if at(when) > 2 else None))
    async with asking(prometheus.url) as call:
        result = await call(name="requests", since="6h")

    assert "| 10 /s (11-22 10:58) |" in result.markdown
    assert result.data["lines"][0]["last_at"] == "2026-11-22T10:58:00+01:00"


async def test_several_lines_are_told_apart_the_highest_first(prometheus: Prometheus) -> None:
    prometheus.curves["memory_bytes"] = [
        Curve(course=always(0.5 * GIB), labels={"job": "app", "instance": "web1"}),
        Curve(course=always(3 * GIB), labels={"job": "app", "instance": "web2"}),
    ]
    async with asking(prometheus.url, MEMORY) as call:
        result = await call(name="memory", since="1h")

    assert [line["name"] for line in result.data["lines"]] == ["web2", "web1"]
    assert "| web2 | 3 GiB | 3 GiB |" in result.markdown
    assert "| web1 | 512 MiB | 512 MiB |" in result.markdown
    assert "web2: last 3 GiB" in result.files[0].description


async def test_what_does_not_fit_is_told_and_can_be_asked_for(prometheus: Prometheus) -> None:
    prometheus.curves["memory_bytes"] = [
        Curve(course=always(float(n)), labels={"pod": f"p{n}"}) for n in range(20)
    ]
    async with asking(prometheus.url, MEMORY) as call:
        first, last = await call(name="memory"), await call(name="memory", offset=16)

    assert [line["name"] for line in first.data["lines"]] == [f"p{n}" for n in range(19, 11, -1)]
    assert first.note == "12 lines left out, all lower; ask with offset=8"
    assert len(json.dumps(first.data)) < MAX_DATA_BYTES / 2
    assert [line["name"] for line in last.data["lines"]] == ["p3", "p2", "p1", "p0"]
    assert last.note is None


async def test_without_a_name_all_are_told_as_they_are_now(prometheus: Prometheus) -> None:
    served(prometheus, Curve(course=always(12.5)))
    prometheus.curves["memory_bytes"] = [
        Curve(course=always(n * GIB), labels={"pod": f"p{n}"}) for n in range(5)
    ]
    async with asking(prometheus.url, REQUESTS, MEMORY, {**MEMORY, "name": "o", "query": "x"}) as (
        call
    ):
        result = await call()

    assert result.markdown.splitlines()[2:] == [
        "| Requests to the shop | `requests` | 12.5 /s |",
        "| Memory | `memory` | p4: 4 GiB, p3: 3 GiB, p2: 2 GiB, and 2 more |",
        "| Memory | `o` | no value |",
    ]
    assert result.data["figures"][1]["left_out"] == 2
    assert result.files == ()
    assert "rate(http_requests_total[300s])" in prometheus.asked[0]["query"]


async def test_of_all_figures_one_that_fails_says_why_beside_the_others(
    prometheus: Prometheus,
) -> None:
    served(prometheus, Curve(course=always(12.5)))

    def answer(request: web.Request) -> web.StreamResponse:
        if request.query["query"] == "memory_bytes":
            return refusal(422, "too many samples")(request)
        value = {"metric": {}, "value": [1.0, "7"]}
        data = {"resultType": "vector", "result": [value]}
        return web.json_response({"status": "success", "data": data})

    prometheus.instead = answer
    async with asking(prometheus.url, REQUESTS, MEMORY) as call:
        result = await call()

    assert "| `memory` | ⚠️ the query is refused: too many samples |" in result.markdown
    assert "| `requests` | 7 /s |" in result.markdown


async def test_the_window_of_a_rate_grows_with_the_step_of_the_picture(
    prometheus: Prometheus,
) -> None:
    async with asking(prometheus.url) as call:
        await call(name="requests", since="1h")
        await call(name="requests", since="7d")

    assert [each["step"] for each in prometheus.asked] == ["15", "3600"]
    assert [each["query"] for each in prometheus.asked] == [
        "sum(rate(http_requests_total[300s]))",
        "sum(rate(http_requests_total[3600s]))",
    ]


async def test_the_newest_value_is_that_of_now(prometheus: Prometheus) -> None:
    async with asking(prometheus.url) as call:
        await call(name="requests", since="2026-11-22T00:07")

    [asked] = prometheus.asked
    begin, end, step = (float(asked[each]) for each in ("start", "end", "step"))
    assert end == NOW.timestamp()
    assert (end - begin) % step == 0
    assert 0 <= begin - datetime(2026, 11, 21, 23, 7, tzinfo=UTC).timestamp() < step


async def test_a_figure_without_values_says_so(prometheus: Prometheus) -> None:
    async with asking(prometheus.url) as call:
        result = await call(name="requests")

    assert result.markdown.endswith("There are no values.")
    assert (result.data["lines"], result.files) == ([], ())


async def test_a_name_that_nobody_has_configured_is_refused_with_those_there_are(
    prometheus: Prometheus,
) -> None:
    async with asking(prometheus.url, REQUESTS, MEMORY) as call:
        with pytest.raises(InvalidArgumentsError) as refused:
            await call(name="request")

    assert "Did you mean `requests`?" in str(refused.value.user_message)
    assert prometheus.asked == []


async def test_nobody_can_write_a_query_of_his_own(prometheus: Prometheus) -> None:
    async with asking(prometheus.url) as call:
        with pytest.raises(InvalidArgumentsError):
            await call(name="sum(secret_metric)")
        with pytest.raises(InvalidArgumentsError):
            await call(name="requests", query="sum(secret_metric)")

    assert prometheus.asked == []


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ({"since": "1h", "until": "2h"}, "it has to begin before it ends"),
        ({"since": "9999w"}, "it may be 2100 days long at most"),
    ],
)
async def test_a_time_that_makes_no_sense_is_refused_in_words(
    prometheus: Prometheus, times: dict[str, str], sentence: str
) -> None:
    async with asking(prometheus.url) as call:
        with pytest.raises(ToolFailedError) as refused:
            await call(name="requests", **times)

    assert refused.value.user_message == f"That is no time to look at: {sentence}."


@pytest.mark.parametrize("since", ["soon", "2026-13-01", "1y"])
async def test_words_that_are_no_time_are_refused(prometheus: Prometheus, since: str) -> None:
    async with asking(prometheus.url) as call:
        with pytest.raises(InvalidArgumentsError):
            await call(name="requests", since=since)


@pytest.mark.parametrize(
    ("instead", "sentence"),
    [
        (
            refusal(400, "parse error: unexpected `)`"),
            "the query is refused: parse error: unexpected ')'. "
            "Whoever runs me should correct it in `tools.metrics.queries`.",
        ),
        (
            refusal(422, "query processing would load too many samples"),
            "the query is refused: query processing would load too many samples. "
            "Whoever runs me should correct it in `tools.metrics.queries`.",
        ),
        (
            refusal(503, "query timed out"),
            "the monitoring is busy (HTTP 503): query timed out. Try again in a minute.",
        ),
        (
            lambda _: web.Response(status=502, text="<html>Bad gateway</html>"),
            "the monitoring is busy (HTTP 502). Try again in a minute.",
        ),
        (
            lambda _: web.Response(status=401),
            "I am not let in (HTTP 401). Whoever runs me should look at `token`, "
            "or `user` and `password`, in `tools.metrics`.",
        ),
        (
            lambda _: web.Response(status=404, text="404 page not found"),
            "there is no Prometheus at its address (HTTP 404). Whoever runs me should look at "
            "`tools.metrics.url`: it is what stands before `/api/v1`.",
        ),
        (
            lambda _: web.Response(text="<html>Log in</html>", content_type="text/html"),
            "what answers there is not Prometheus. Whoever runs me should look at "
            "`tools.metrics.url`: it is what stands before `/api/v1`.",
        ),
        (
            lambda _: web.json_response({"status": "success", "data": {"result": 7}}),
            "what answers there is not Prometheus. Whoever runs me should look at "
            "`tools.metrics.url`: it is what stands before `/api/v1`.",
        ),
        (
            lambda _: web.json_response(
                {"data": {"resultType": "matrix", "result": [{"metric": {}, "values": [["x"]]}]}}
            ),
            "what answers there is not Prometheus. Whoever runs me should look at "
            "`tools.metrics.url`: it is what stands before `/api/v1`.",
        ),
        (
            lambda _: web.json_response(
                {
                    "data": {
                        "resultType": "matrix",
                        "result": [{"metric": {}, "histograms": [[1, {}]]}],
                    }
                }
            ),
            "its result is a histogram; it needs `histogram_quantile(…)`. "
            "Whoever runs me should correct it in `tools.metrics.queries`.",
        ),
        (
            lambda _: web.Response(body=b" " * 3_000_000, content_type="application/json"),
            "it gives too many series. Whoever runs me can have it give fewer, "
            "as by `sum by (…)` or `topk(10, …)`.",
        ),
        (
            lambda _: web.Response(status=418),
            "the monitoring answers HTTP 418. Whoever runs me should look at "
            "`tools.metrics.url`: it is what stands before `/api/v1`.",
        ),
    ],
)
async def test_what_goes_wrong_says_what_to_do(
    prometheus: Prometheus, instead: Any, sentence: str
) -> None:
    prometheus.instead = instead
    async with asking(prometheus.url) as call:
        for arguments in ({"name": "requests"}, {}):
            with pytest.raises(ToolFailedError) as failed:
                await call(**arguments)
            assert failed.value.user_message == f"I cannot get `requests`: {sentence}"


async def test_a_dead_monitoring_says_so_without_its_address(prometheus: Prometheus) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with asking(f"http://reader:hidden@127.0.0.1:{port}") as call:
            with pytest.raises(ToolFailedError) as failed:
                await call(name="requests")

    said = str(failed.value.user_message)
    assert "the monitoring does not answer: connection refused." in said
    assert "127.0.0.1" not in said
    assert "hidden" not in said


async def test_a_slow_monitoring_is_not_waited_for() -> None:
    async def hang(_: web.Request) -> web.Response:
        return await asyncio.Future()

    app = web.Application()
    app.router.add_get("/{rest:.*}", hang)
    async with (
        TestServer(app, host="127.0.0.1") as server,
        asking(str(server.make_url("/")), timeout_seconds=0.05) as call,
    ):
        with pytest.raises(ToolFailedError) as failed:
            await call(name="requests")

    assert "no answer within 0.05 s. Ask for a shorter time;" in str(failed.value.user_message)


async def test_a_redirect_to_another_place_inside_is_not_followed(prometheus: Prometheus) -> None:
    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound(prometheus.url)

    app = web.Application()
    app.router.add_get("/{rest:.*}", away)
    async with (
        TestServer(app, host="127.0.0.1") as server,
        asking(str(server.make_url("/")), token="hidden-token") as call,
    ):
        with pytest.raises(ToolFailedError) as failed:
            await call(name="requests")

    assert "it redirects to where tools may not go" in str(failed.value.user_message)
    assert "`tools.metrics.url`" in str(failed.value.user_message)
    assert prometheus.asked == []


@pytest.mark.parametrize(
    ("more", "sent"),
    [
        ({"token": "abc"}, "Bearer abc"),
        ({"user": "reader", "password": "pä:ss"}, "Basic cmVhZGVyOnDDpDpzcw=="),
    ],
)
async def test_whoever_asks_says_who_he_is(
    prometheus: Prometheus, more: dict[str, str], sent: str
) -> None:
    async with asking(prometheus.url, **more) as call:
        await call(name="requests")

    assert prometheus.headers[0]["Authorization"] == sent


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"queries": [REQUESTS]}, "has queries, which need the url"),
        ({"url": "http://p:9090", "queries": [REQUESTS, {**MEMORY, "name": "REQUESTS"}]}, "two"),
        ({"url": "http://p:9090", "user": "me"}, "user and password together"),
        ({"url": "http://p", "user": "a", "password": "b", "token": "c"}, "either a token or"),
        ({"url": "http://p", "queries": [{**MEMORY, "query": "{}" * 900}]}, "recording rule"),
    ],
)
def test_settings_that_cannot_work_are_refused(section: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        MetricsSettings.model_validate(section)


def test_without_anything_to_ask_there_is_no_such_tool(tmp_path: Path) -> None:
    found = FoundTools(registry=discover())
    nothing = found.at_work({"metrics": MetricsSettings()})
    something = MetricsSettings.model_validate({"url": "http://p:9090", "queries": [MEMORY]})

    assert nothing.registry.namespace("metrics") is None
    assert found.at_work({"metrics": something}).registry.tool("query_metrics") is not None


def test_the_extra_is_needed_only_for_pictures_that_are_wanted() -> None:
    section = {"url": "http://p:9090", "queries": [MEMORY]}

    needed = [
        [extra.name for extra in MetricsSettings.model_validate(each).needed_extras]
        for each in (section, {**section, "pictures": False}, {})
    ]

    assert needed == [["charts"], [], []]
