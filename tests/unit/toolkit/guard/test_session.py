"""A session that a library is given: what it may reach, and what people read when it may not."""

import logging
from collections.abc import Sequence

import pytest
from aiohttp import ClientError, web

from lycatra_appservice.targets import read_target
from lycatra_appservice.toolkit.base import OutboundError, OutboundRefusedError
from lycatra_appservice.toolkit.guard.allowance import Allowance
from lycatra_appservice.toolkit.guard.outbound import Outbound
from tests.support.small_internet import SmallInternet
from tests.unit.toolkit.guard.conftest import redirect_to, say_hello

ALLOWED = ("proxy.internal:2375", "other.internal:2375")


def outbound(internet: SmallInternet, allowed: Sequence[str] = ALLOWED) -> Outbound:
    internet.name("proxy.internal", ["10.0.0.5"])
    internet.name("other.internal", ["10.0.0.6"])
    allowance = Allowance(read_target(each) for each in allowed)
    return Outbound(allowance, log=logging.getLogger(), make_resolver=lambda: internet.names)


async def said_by_failure(http: Outbound, url: str) -> OutboundError:
    """What a library makes of an error that was raised inside it."""
    async with http.session(url) as session:
        try:
            await session.client.get(url)
        except (ClientError, OSError) as exc:
            return session.failure(exc)
    raise AssertionError("it was reached")


async def test_what_is_allowed_is_reached(internet: SmallInternet) -> None:
    await internet.serve("10.0.0.5", 2375, say_hello)
    url = "http://proxy.internal:2375/version"
    async with (
        outbound(internet).session(url) as session,
        session.client.get(url) as answer,
    ):
        assert await answer.text() == "hello"


async def test_what_is_not_listed_is_refused_with_the_line_that_would_allow_it(
    internet: SmallInternet,
) -> None:
    http = outbound(internet, ["proxy.internal:2376"])
    failure = await said_by_failure(http, "http://proxy.internal:2375/")
    assert isinstance(failure, OutboundRefusedError)
    assert "tools_http: {allow: ['proxy.internal:2375']}" in failure.user_message
    assert internet.connected == []


async def test_a_listed_name_never_leads_to_the_metadata_of_a_cloud(
    internet: SmallInternet,
) -> None:
    http = outbound(internet)
    internet.name("proxy.internal", ["169.254.169.254"])
    failure = await said_by_failure(http, "http://proxy.internal:2375/")
    assert isinstance(failure, OutboundRefusedError)
    assert internet.connected == []


async def test_a_session_goes_nowhere_else_even_where_that_is_allowed(
    internet: SmallInternet,
) -> None:
    await internet.serve("10.0.0.5", 2375, redirect_to("http://other.internal:2375/"))
    await internet.serve("10.0.0.6", 2375, say_hello)
    http = outbound(internet)
    await said_by_failure(http, "http://proxy.internal:2375/")
    async with http.session("http://proxy.internal:2375") as session:
        with pytest.raises(ClientError):
            await session.client.get("http://other.internal:2375/")
    assert internet.connected == [("10.0.0.5", 2375)]


async def test_a_peer_that_is_not_there_is_told(internet: SmallInternet) -> None:
    internet.refuse("10.0.0.5", 2375)
    failure = await said_by_failure(outbound(internet), "http://proxy.internal:2375/")
    assert failure.phrase == "connection refused"


async def test_no_cookie_is_kept(internet: SmallInternet) -> None:
    async def baker(request: web.Request) -> web.Response:
        answer = web.Response(text=request.headers.get("Cookie", "none"))
        answer.set_cookie("a", "b")
        return answer

    await internet.serve("10.0.0.5", 2375, baker)
    url = "http://proxy.internal:2375/"
    async with outbound(internet).session(url) as session:
        for _ in range(2):
            async with session.client.get(url) as answer:
                assert await answer.text() == "none"
