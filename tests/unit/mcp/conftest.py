"""A transport with tools that show what it can do."""

from collections.abc import AsyncIterator

import pytest

from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.hub import LocalHub
from tests.support.mcp_served import Served, served
from tests.support.mcp_tools import Tools


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture
async def mcp(tools: Tools) -> AsyncIterator[Served]:
    here = Here()
    hub = LocalHub(here)
    async with served(tools.server(hub), here=here, hub=hub) as running:
        yield running
