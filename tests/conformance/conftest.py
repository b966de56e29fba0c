"""The fixture for as long as one leg runs."""

from collections.abc import AsyncIterator

import pytest

from tests.conformance.app import fixture_app


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with fixture_app() as address:
        yield address
