"""The chat on a stub homeserver, with and without a model."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer, model_server
from tests.support.scene import Scene, open_scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A chat without a model."""
    async with open_scene(tmp_path) as opened:
        yield opened


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    """A model server that must be asked exactly what the test scripts."""
    async with model_server() as running:
        yield running


@pytest.fixture
async def asking(tmp_path: Path, model: ModelServer) -> AsyncIterator[Scene]:
    """A chat with that model."""
    async with open_scene(tmp_path, model_url=model.base_url) as opened:
        yield opened
