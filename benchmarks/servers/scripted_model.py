"""A model server that asks for one tool and then answers in 60 pieces: the same for everybody.

`model` chooses how long it takes before each answer: `at-once`, `after-300-ms`, or `never`.
"""

import asyncio
import itertools
import json
from typing import Final

from aiohttp import web

from benchmarks.servers.serving import arguments, serve
from lycatra_appservice.model import JSON

TOOL: Final = "get_service_status"
ARGUMENTS: Final = '{"service": "wiki"}'
PIECES: Final = 60
ANSWER: Final = "".join(f"word{n:02} " for n in range(PIECES)).strip()
AT_ONCE: Final = "at-once"
AFTER_300_MS: Final = "after-300-ms"
NEVER: Final = "never"
ASKED: Final = "/bench/asked"
_SECONDS: Final = {AT_ONCE: 0.0, AFTER_300_MS: 0.3, NEVER: 3600.0}
_USAGE: Final = {"prompt_tokens": 900, "completion_tokens": 90, "total_tokens": 990}


class ScriptedModel:
    """Both routes. The first request of a turn gets a call, the one with its result the answer."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._asked = 0
        self._at_once = 0
        self._most_at_once = 0
        self._answer = [_chunk({"content": f"word{n:02} "}) for n in range(PIECES)]

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer by the last message."""
        body = await request.json()
        self._asked += 1
        self._at_once += 1
        self._most_at_once = max(self._most_at_once, self._at_once)
        try:
            await asyncio.sleep(_SECONDS[body["model"]])
            has_result = body["messages"][-1]["role"] == "tool"
            return await self._stream(request, self._answer if has_result else self._call())
        finally:
            self._at_once -= 1

    async def asked(self, _: web.Request) -> web.Response:
        """How many requests there were, how many are under way, and at most were; counts anew."""
        counts = {"asked": self._asked, "now": self._at_once, "most": self._most_at_once}
        self._asked, self._most_at_once = 0, self._at_once
        return web.json_response(counts)

    def _call(self) -> list[bytes]:
        function = {"name": TOOL, "arguments": ""}
        first = {"index": 0, "id": f"call_{next(self._ids):06}", "type": "function"}
        rest = {"index": 0, "function": {"arguments": ARGUMENTS}}
        return [
            _chunk({"role": "assistant", "tool_calls": [{**first, "function": function}]}),
            _chunk({"tool_calls": [rest]}),
        ]

    async def _stream(self, request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)  # a write of its own, as a model's words come
        finish = "stop" if pieces is self._answer else "tool_calls"
        await response.write(_chunk({}, finish))
        await response.write(_event({**_FRAME, "choices": [], "usage": _USAGE}))
        await response.write(b"data: [DONE]\n\n")
        return response


_FRAME: Final = {
    "id": "chatcmpl-bench",
    "object": "chat.completion.chunk",
    "created": 1_795_000_000,
    "model": "bench",
}


def _chunk(delta: JSON, finish: str | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return _event({**_FRAME, "choices": choices})


def _event(data: JSON) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


async def _main(port: int) -> None:
    model = ScriptedModel()
    application = web.Application(client_max_size=16 * 1024 * 1024)
    application.add_routes([web.post("/v1/chat/completions", model.complete)])
    application.add_routes([web.get(ASKED, model.asked)])
    await serve(application, port, sees_who_leaves=True)


if __name__ == "__main__":
    asyncio.run(_main(arguments()[0]))
