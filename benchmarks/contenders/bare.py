"""The least that such a turn can cost: two requests by aiohttp, and a loop over their lines.

No history of its own, no checks, no journal. It tells how fast the machine is just now.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp

from benchmarks.contenders.playing import (
    INSTRUCTIONS,
    QUESTION,
    RESULT,
    SAID_BEFORE,
    TOOL_WORDS,
    play,
)
from benchmarks.servers.scripted_model import TOOL
from lycatra_appservice.model import JSON


@asynccontextmanager
async def bare(base_url: str, model: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Two requests."""
    url = f"{base_url}/chat/completions"
    tool = {"name": TOOL, "description": TOOL_WORDS, "parameters": {"type": "object"}}
    said = [text for each in SAID_BEFORE for text in each]
    history = [
        {"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(said)
    ]
    asked = [
        {"role": "system", "content": INSTRUCTIONS},
        *history,
        {"role": "user", "content": QUESTION},
    ]

    async with aiohttp.ClientSession() as http:

        async def ask(messages: JSON) -> tuple[str, list[JSON]]:
            body = {"model": model, "messages": messages, "stream": True}
            body["tools"] = [{"type": "function", "function": tool}]
            pieces: list[str] = []
            calls: list[JSON] = []
            async with http.post(url, json=body) as answer:
                async for line in answer.content:
                    if not line.startswith(b"data: {"):
                        continue
                    for choice in json.loads(line[6:])["choices"]:
                        pieces.append(choice["delta"].get("content") or "")
                        calls += choice["delta"].get("tool_calls") or ()
            return "".join(pieces), calls

        async def turn() -> str:
            _, calls = await ask(asked)
            call = {**calls[0], "function": {**calls[0]["function"], **calls[1]["function"]}}
            del call["index"]
            result = {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(RESULT)}
            made = {"role": "assistant", "content": None, "tool_calls": [call]}
            return (await ask([*asked, made, result]))[0]

        yield turn


if __name__ == "__main__":
    play(bare)
