from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import pytest
from pydantic import SecretStr

from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from tests.support.model_server import ModelServer, model_server


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSettings:
    base_url: str
    model: str = "test-model"
    api_key: SecretStr | None = None
    first_token_timeout: timedelta = timedelta(seconds=5)
    idle_timeout: timedelta = timedelta(seconds=5)
    max_output_tokens: int | None = None
    temperature: float | None = None
    stream: bool = True
    tool_choice: bool = True


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
            given: dict[str, Any] = {"base_url": server.base_url, **settings}
            backend = ChatCompletionsBackend(OwnSettings(**given))
            opened.push_async_callback(backend.aclose)
            return backend

        yield open_backend


@pytest.fixture
def backend(backend_with: OpenBackend) -> ChatCompletionsBackend:
    return backend_with()
