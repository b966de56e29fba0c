"""The same turn by langchain's agent on langgraph, streamed message by message."""

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
async def langchain(base_url: str, model: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """A streamed run on chat.completions."""
    agents: Any = import_module("langchain.agents")
    tools: Any = import_module("langchain.tools")
    openai: Any = import_module("langchain_openai")

    async def status(service: str) -> object:
        return RESULT

    tool = tools.tool(TOOL, description=TOOL_WORDS)(status)
    chat = openai.ChatOpenAI(
        model=model, base_url=base_url, api_key="none", streaming=True, max_retries=0
    )
    agent = agents.create_agent(chat, tools=[tool], system_prompt=INSTRUCTIONS)
    history = [
        {"role": role, "content": text}
        for said in SAID_BEFORE
        for role, text in zip(("user", "assistant"), said, strict=True)
    ]

    async def turn() -> str:
        asked = {"messages": [*history, {"role": "user", "content": QUESTION}]}
        pieces: list[str] = []
        async for message, about in agent.astream(asked, stream_mode="messages"):
            if about["langgraph_node"] == "model" and isinstance(message.content, str):
                pieces.append(message.content)
        return "".join(pieces)

    yield turn


if __name__ == "__main__":
    play(langchain)
