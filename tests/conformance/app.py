"""The fixture on our transport, on a port of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.hub import LocalHub
from tests.conformance.fixture.server import build_server
from tests.support.mcp_served import served


@asynccontextmanager
async def fixture_app() -> AsyncIterator[str]:
    """Its address; without tokens, as the suite can send none."""
    here = Here()
    hub = LocalHub(here)
    async with served(build_server(hub), here=here, hub=hub) as running:
        yield running.url
