"""The same turn by openai-agents, streamed, without its tracing."""

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
async def openai_agents(base_url: str, model: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """A streamed run on chat.completions."""
    agents: Any = import_module("agents")
    openai: Any = import_module("openai")
    agents.set_tracing_disabled(True)

    async def status(service: str) -> object:
        return RESULT

    tool = agents.function_tool(name_override=TOOL, description_override=TOOL_WORDS)(status)
    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
    chat = agents.OpenAIChatCompletionsModel(model=model, openai_client=client)
    agent = agents.Agent(name="bench", instructions=INSTRUCTIONS, tools=[tool], model=chat)
    history = [
        {"role": role, "content": text}
        for said in SAID_BEFORE
        for role, text in zip(("user", "assistant"), said, strict=True)
    ]

    async def turn() -> str:
        asked = [*history, {"role": "user", "content": QUESTION}]
        result = agents.Runner.run_streamed(agent, asked)
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    yield turn
    await client.close()


if __name__ == "__main__":
    play(openai_agents)
