"""The worst tool there could be, asked through the gate: it fetches what it is told."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import pytest
from aiohttp import web

from lycatra_appservice.toolkit.base import Field, ToolArgs, ToolContext, ToolResult
from tests.support.small_internet import SmallInternet, small_internet
from tests.support.toolbench import a_tool, bench

Fetch: TypeAlias = Callable[..., Awaitable[Any]]

# Public addresses of the tests. What is unlisted has to speak TLS, so tests list them.
SHOP, MIRROR = "93.184.216.34", "2606:2800:220:1::1"


class FetchArgs(ToolArgs):
    url: str = Field(default="", max_length=10_000, description="What to fetch.")
    host: str = Field(default="", max_length=300, description="What to reach by TCP instead.")
    port: int = Field(default=0, ge=0, le=65535, description="The port to reach.")
    method: str = Field(default="GET", max_length=10, description="GET or another method.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers to send.")
    accept: list[str] = Field(default_factory=list, description="Content types to take.")


async def fetch(args: FetchArgs, ctx: ToolContext) -> ToolResult:
    if args.host:
        await ctx.http.reach(args.host, args.port)
        return ToolResult(data={}, markdown="reached")
    answer = await ctx.http.request(
        args.method, args.url, headers=args.headers, accept=args.accept
    )
    text = answer.body.decode()
    return ToolResult(data={"status": answer.status, "text": text}, markdown=text)


@pytest.fixture
async def internet(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallInternet]:
    async with small_internet(monkeypatch) as internet:
        internet.name("shop.example", [SHOP])
        internet.name("localhost", ["127.0.0.1", "::1"])
        yield internet


@pytest.fixture
async def fetching(internet: SmallInternet) -> AsyncIterator[Fetch]:
    """Fetch a URL with the tool, under an operator's list; gives the result's data."""
    async with AsyncExitStack() as stack:

        async def call(url: str = "", *, allow: Sequence[str] = (), **args: Any) -> Any:
            tool = a_tool(name="fetch_page", args=FetchArgs, run=fetch)
            on = await stack.enter_async_context(
                bench([tool], allow=allow, make_resolver=lambda: internet.names)
            )
            return (await on.toolbox().call("fetch_page", {"url": url, **args})).data

        yield call


async def say_hello(request: web.Request) -> web.StreamResponse:
    """What a harmless server does."""
    return web.Response(text="hello")


def redirect_to(*locations: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A server that redirects, each time to the next place."""
    left = list(locations)

    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": left.pop(0)})

    return redirect
