"""What tools get from other hosts, how much of it, and what they read when they get nothing."""

import gzip
import logging
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON
from lycatra_appservice.targets import Target
from lycatra_appservice.toolkit.base import (
    AnswerTooLargeError,
    HttpAnswer,
    OutboundError,
    OutboundRefusedError,
    ToolSettings,
)
from lycatra_appservice.toolkit.guard.allowance import Allowance
from lycatra_appservice.toolkit.guard.outbound import Outbound
from lycatra_appservice.toolkit.registry import Registry
from tests.support.small_internet import Handler, SmallInternet
from tests.support.toolbench import TESTING, a_tool, bench
from tests.unit.toolkit.guard.conftest import (
    MIRROR,
    SHOP,
    Fetch,
    FetchArgs,
    fetch,
    redirect_to,
    say_hello,
)

OPEN = ["shop.example:80", "mirror.example:80"]
MEBIBYTE = 1024 * 1024


def answering(make: Callable[[], web.StreamResponse]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return make()

    return answer


@pytest.fixture
def outbound(internet: SmallInternet) -> Outbound:
    """What a tool of a namespace is given whose configuration names these hosts."""
    allowance = Allowance(Target.of_host(name, 80) for name in ("shop.example", "mirror.example"))
    return Outbound(allowance, log=logging.getLogger(), make_resolver=lambda: internet.names)


# --- what is allowed works


@pytest.mark.parametrize(
    "entry", ["wiki.internal:80", "Wiki.Internal:80", "10.0.0.5:80", "10.0.0.0/24:80"]
)
async def test_what_the_operator_lists_is_reached(
    fetching: Fetch, internet: SmallInternet, entry: str
) -> None:
    internet.name("wiki.internal", ["10.0.0.5"])
    await internet.serve("10.0.0.5", 80, say_hello)
    assert (await fetching("http://WIKI.internal/", allow=[entry]))["text"] == "hello"
    await fetching(host="wiki.internal", port=80, allow=[entry])
    assert internet.connected == [("10.0.0.5", 80)] * 2


@pytest.mark.parametrize("url", ["http://[fd00::5]/", "http://[FD00:0::5]:80/"])
async def test_a_listed_address_is_reached_in_each_of_its_spellings(
    fetching: Fetch, internet: SmallInternet, url: str
) -> None:
    await internet.serve("fd00::5", 80, say_hello)
    assert (await fetching(url, allow=["[fd00::5]:80"]))["text"] == "hello"


async def test_the_internet_is_reached_by_https(fetching: Fetch, internet: SmallInternet) -> None:
    await internet.serve(SHOP, 443, say_hello)  # without TLS, so that it ends there
    with pytest.raises(OutboundError, match="TLS cannot be agreed on"):
        await fetching("https://shop.example/")
    assert internet.connected == [(SHOP, 443)]


async def test_what_one_namespace_may_reach_another_may_not_even_right_after_it(
    internet: SmallInternet,
) -> None:
    class WikiSettings(ToolSettings):
        @property
        def allowed_targets(self) -> list[Target]:
            return [Target.of_url("http://wiki.internal/")]

    wiki = replace(TESTING, name="wiki", settings=WikiSettings)
    tools = {
        wiki.name: [a_tool(name="read_wiki", args=FetchArgs, run=fetch)],
        TESTING.name: [a_tool(name="fetch_page", args=FetchArgs, run=fetch)],
    }
    internet.name("wiki.internal", ["10.0.0.5"])
    await internet.serve("10.0.0.5", 80, say_hello)
    registry = Registry([wiki, TESTING], tools)
    async with bench(registry=registry, make_resolver=lambda: internet.names) as on:
        url: dict[str, JSON] = {"url": "http://wiki.internal/"}
        assert (await on.toolbox().call("read_wiki", url)).markdown == "hello"
        with pytest.raises(OutboundRefusedError):
            await on.toolbox().call("fetch_page", url)
    assert len(internet.connected) == 1


# --- how much, and of what kind


@pytest.mark.parametrize("encoding", ["gzip", "deflate", None])
async def test_an_answer_is_read_up_to_a_mebibyte(
    outbound: Outbound, internet: SmallInternet, encoding: str | None
) -> None:
    def packed() -> web.Response:
        response = web.Response(body=b"x" * MEBIBYTE)
        if encoding:
            response.enable_compression(web.ContentCoding(encoding))
        return response

    await internet.serve(SHOP, 80, answering(packed))
    assert len((await outbound.get("http://shop.example/")).body) == MEBIBYTE


async def test_a_little_that_unpacks_to_very_much_is_not_unpacked(
    outbound: Outbound, internet: SmallInternet
) -> None:
    bomb = gzip.compress(bytes(100 * MEBIBYTE))
    headers = {"Content-Encoding": "gzip"}
    await internet.serve(SHOP, 80, answering(lambda: web.Response(body=bomb, headers=headers)))

    tracemalloc.start()
    with pytest.raises(AnswerTooLargeError) as caught:
        await outbound.get("http://shop.example/")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 8 * MEBIBYTE
    assert caught.value.user_message == (
        "The answer of `shop.example:80` is larger than 1,048,576 bytes."
    )


async def test_an_answer_without_end_is_given_up(
    outbound: Outbound, internet: SmallInternet
) -> None:
    async def without_end(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    await internet.serve(SHOP, 80, without_end)
    with pytest.raises(AnswerTooLargeError):
        await outbound.get("http://shop.example/")
    answer = await outbound.get("http://shop.example/", max_body_bytes=10, cut=True)
    assert answer.body == b"x" * 10


async def test_only_the_kinds_of_content_that_a_tool_takes_reach_it(
    outbound: Outbound, internet: SmallInternet
) -> None:
    await internet.serve(SHOP, 80, answering(lambda: web.json_response({"a": 1})))
    answer = await outbound.get("http://shop.example/", accept=["application/json"])
    assert answer.json() == {"a": 1}
    with pytest.raises(OutboundError, match="its content is not text/calendar or text/plain"):
        await outbound.get("http://shop.example/", accept=["text/plain", "text/calendar"])


async def test_an_error_page_is_an_answer_whatever_its_kind(
    outbound: Outbound, internet: SmallInternet
) -> None:
    await internet.serve(SHOP, 80, answering(lambda: web.Response(status=503, text="busy")))
    answer = await outbound.get("http://shop.example/", accept=["application/json"])
    assert (answer.status, answer.body) == (503, b"busy")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_json_says_so(body: bytes) -> None:
    answer = HttpAnswer(status=200, headers={}, content_type="application/json", body=body)
    with pytest.raises(OutboundError, match="is not JSON"):
        answer.json()


# --- redirects


async def test_three_redirects_are_followed_and_not_a_fourth(
    fetching: Fetch, internet: SmallInternet
) -> None:
    handlers = [redirect_to("/1", "/2", "/3"), redirect_to("/1", "/2", "/3", "/4")]

    async def serve(request: web.Request) -> web.StreamResponse:
        return await (say_hello if request.path == "/3" else handlers[0])(request)

    await internet.serve(SHOP, 80, serve)
    assert (await fetching("http://shop.example/", allow=OPEN))["text"] == "hello"
    await internet.serve(SHOP, 80, handlers[1])
    with pytest.raises(OutboundError, match="too many redirects"):
        await fetching("http://shop.example/", allow=OPEN)


@pytest.mark.parametrize(
    ("location", "goes_along"), [("/there", True), ("http://mirror.example/", False)]
)
async def test_what_a_tool_sends_along_stays_with_the_host_it_was_for(
    fetching: Fetch, internet: SmallInternet, location: str, goes_along: bool
) -> None:
    async def tell(request: web.Request) -> web.StreamResponse:
        if request.path == "/begin":
            response = web.Response(status=302, headers={"Location": location})
            response.set_cookie("session", "secret")
            return response
        names = ("Authorization", "Private-Token", "Cookie")
        return web.Response(text=" ".join(each for each in names if each in request.headers))

    internet.name("mirror.example", [MIRROR])
    await internet.serve(SHOP, 80, tell)
    await internet.serve(MIRROR, 80, tell)
    headers = {"Authorization": "Bearer secret", "Private-Token": "secret"}
    found = await fetching("http://shop.example/begin", allow=OPEN, headers=headers)
    assert found["text"] == ("Authorization Private-Token" if goes_along else "")


async def test_what_writes_is_not_redirected(fetching: Fetch, internet: SmallInternet) -> None:
    await internet.serve(SHOP, 80, redirect_to("http://mirror.example/"))
    assert (await fetching("http://shop.example/", allow=OPEN, method="POST"))["status"] == 302


@pytest.mark.parametrize("name", ["Host", "connection", "Transfer-Encoding", "content-length"])
async def test_a_tool_cannot_say_that_it_asks_another_host(outbound: Outbound, name: str) -> None:
    with pytest.raises(ValueError, match="a tool sets none of these headers"):
        await outbound.get("http://shop.example/", headers={name: "x"})


# --- what people read


async def test_a_refusal_names_the_line_that_allows_it_and_no_address(
    fetching: Fetch, internet: SmallInternet, caplog: pytest.LogCaptureFixture
) -> None:
    internet.name("wiki.internal", ["10.0.0.5"])
    with pytest.raises(OutboundRefusedError) as caught:
        await fetching("https://wiki.internal/page?token=secret")

    assert caught.value.user_message == (
        "I may not reach `wiki.internal:443`: it is not on the public internet. "
        "Whoever runs me can allow it: `tools_http: {allow: ['wiki.internal:443']}`."
    )
    [record] = [each for each in caplog.records if each.message == "outbound_refused"]
    assert vars(record)["address"] == "10.0.0.5"
    assert vars(record)["reason"] == "not_public"
    assert "secret" not in str(vars(record))


async def test_the_line_that_a_refusal_names_does_allow_it(
    fetching: Fetch, internet: SmallInternet
) -> None:
    await internet.serve("fd00::5", 8080, say_hello)
    with pytest.raises(OutboundRefusedError) as caught:
        await fetching("http://[fd00::5]:8080/")
    _, _, rest = caught.value.user_message.partition("allow: ['")
    assert (await fetching("http://[fd00::5]:8080/", allow=[rest.partition("'")[0]]))["text"]


@pytest.mark.parametrize(
    "args", [{"url": "http://shop.example/"}, {"host": "**loud**`@room`", "port": 80}]
)
async def test_nothing_strange_that_a_host_is_called_is_repeated(
    fetching: Fetch, internet: SmallInternet, args: dict[str, Any]
) -> None:
    await internet.serve(SHOP, 80, redirect_to("http://**loud**`@room`/"))
    with pytest.raises(OutboundError) as caught:
        await fetching(**args, allow=OPEN)
    assert "loud" not in caught.value.user_message


async def test_a_refused_redirect_says_that_it_was_one(
    fetching: Fetch, internet: SmallInternet
) -> None:
    await internet.serve(SHOP, 80, redirect_to("https://localhost/"))
    with pytest.raises(OutboundRefusedError, match="`localhost:443`, where a redirect leads: it"):
        await fetching("http://shop.example/", allow=OPEN)


@pytest.mark.parametrize(
    ("url", "phrase"),
    [
        ("https://nowhere.example/", "its name cannot be resolved"),
        ("http://shop.example/", "connection refused"),
        ("https://2130706433/", "its address is not valid"),
    ],
)
async def test_a_failure_says_what_failed(
    fetching: Fetch, internet: SmallInternet, url: str, phrase: str
) -> None:
    internet.refuse(SHOP, 80)
    with pytest.raises(ToolFailedError, match=phrase):
        await fetching(url, allow=OPEN)


async def test_a_name_that_is_too_long_is_a_failure_and_no_crash(fetching: Fetch) -> None:
    with pytest.raises(OutboundError):
        await fetching(host="1" * 70, port=80)
