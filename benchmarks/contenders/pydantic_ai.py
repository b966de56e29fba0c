"""The same turn by pydantic-ai, streamed piece by piece."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from benchmarks.contenders.playing import (
    INSTRUCTIONS,
    QUESTION,
    RESULT,
    SAID_BEFORE,
    TOOL_WORDS,
    play,
)
from benchmarks.servers.scripted_model import TOOL


@asynccontextmanager
async def pydantic_ai(base_url: str, model: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """A streamed run on chat.completions."""
    library: Any = import_module("pydantic_ai")
    messages: Any = import_module("pydantic_ai.messages")
    openai: Any = import_module("pydantic_ai.models.openai")
    providers: Any = import_module("pydantic_ai.providers.openai")

    async def status(service: str) -> object:
        return RESULT

    provider = providers.OpenAIProvider(base_url=base_url, api_key="none")
    agent = library.Agent(
        openai.OpenAIChatModel(model, provider=provider),
        instructions=INSTRUCTIONS,
        tools=[library.Tool(status, name=TOOL, description=TOOL_WORDS)],
    )
    history = [
        message
        for question, answer in SAID_BEFORE
        for message in (
            messages.ModelRequest(parts=[messages.UserPromptPart(question)]),
            messages.ModelResponse(parts=[messages.TextPart(answer)]),
        )
    ]

    async def turn() -> str:
        async with agent.run_stream(QUESTION, message_history=history) as result:
            pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        return "".join(pieces)

    yield turn


if __name__ == "__main__":
    play(pydantic_ai)
