from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Protocol

import pytest

from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.settings import Model
from tests.support.model_server import ModelServer, model_server

DEFAULTS = {"model": "test-model", "first_token_timeout": "5s", "idle_timeout": "5s"}


class OpenBackend(Protocol):
    def __call__(self, **settings: object) -> ChatCompletionsBackend: ...


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


@pytest.fixture
async def backend_with(
    server: ModelServer,
) -> AsyncIterator[OpenBackend]:
    async with AsyncExitStack() as opened:

        def open_backend(**settings: object) -> ChatCompletionsBackend:
            given = {"base_url": server.base_url, **DEFAULTS, **settings}
            backend = ChatCompletionsBackend(Model.model_validate(given))
            opened.push_async_callback(backend.aclose)
            return backend

        yield open_backend


@pytest.fixture
def backend(backend_with: OpenBackend) -> ChatCompletionsBackend:
    return backend_with()
