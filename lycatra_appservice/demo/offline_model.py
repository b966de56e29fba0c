"""An OpenAI-compatible server with a rule-based stand-in, so that the demo needs no model."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Self

from aiohttp import web

from lycatra_appservice.demo.offline_prose import WHO_I_AM
from lycatra_appservice.demo.offline_turn import Answer, answer
from lycatra_appservice.model import JSON

OFFLINE_MODEL = "lycatra-demo-stand-in"
_LOOPBACK = "127.0.0.1"
_LETTERS_A_TOKEN = 4  # near enough for a usage figure
_PIECE = 24  # letters in one streamed piece
_MAX_BODY_BYTES = 16 * 1024**2


def _today() -> date:
    return datetime.now(UTC).date()


class OfflineModel:
    """The server on loopback while the `async with` is open.

    It answers the last question with one tool call, and a tool's result with a few sentences.
    The same request gets the same answer; only "today" moves, and comes from `today`.
    """

    def __init__(self, port: int = 0, today: Callable[[], date] = _today) -> None:
        """Port 0 takes a free one."""
        self._port = port
        self._today = today
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """As the `openai` client takes it. Any key is accepted."""
        return f"http://{_LOOPBACK}:{self._port}/v1"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, _LOOPBACK, self._port).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _models(self, request: web.Request) -> web.Response:
        model = {"id": OFFLINE_MODEL, "object": "model", "created": 0, "owned_by": WHO_I_AM}
        return web.json_response({"object": "list", "data": [model]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        try:
            asked = await request.json()
        except ValueError:
            return _refuse(400, "The body is not JSON.")
        if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
            return _refuse(400, "`messages` must be a list.")
        if asked.get("model") != OFFLINE_MODEL:
            return _refuse(404, f"There is only the model {OFFLINE_MODEL!r} here.")
        said = answer(asked, self._today())
        if asked.get("stream"):
            return await _stream(request, asked, said)
        return web.json_response(_completion(asked, said))


def _completion(asked: Mapping[str, JSON], said: Answer) -> JSON:
    message: dict[str, JSON] = {"role": "assistant", "content": said.text or None}
    if said.call is not None:
        message["tool_calls"] = [_tool_call(said)]
    choice = {"index": 0, "message": message, "finish_reason": _finish(said)}
    return {**_frame("chat.completion"), "choices": [choice], "usage": _usage(asked, said)}


async def _stream(
    request: web.Request, asked: Mapping[str, JSON], said: Answer
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for delta in _deltas(said):
        await _event(response, [{"index": 0, "delta": delta, "finish_reason": None}])
    await _event(response, [{"index": 0, "delta": {}, "finish_reason": _finish(said)}])
    options = asked.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        await _event(response, [], usage=_usage(asked, said))
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _event(response: web.StreamResponse, choices: JSON, **more: JSON) -> None:
    chunk = {**_frame("chat.completion.chunk"), "choices": choices, **more}
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


def _deltas(said: Answer) -> list[JSON]:
    """What is streamed: the role, then the text or the call's arguments in pieces."""
    deltas: list[JSON] = [{"role": "assistant", "content": ""}]
    if said.call is None:
        return [*deltas, *({"content": piece} for piece in _pieces(said.text))]
    call = _tool_call(said)
    arguments = call["function"]["arguments"]
    begin = {**call, "index": 0, "function": {"name": said.call.name, "arguments": ""}}
    written = ({"index": 0, "function": {"arguments": piece}} for piece in _pieces(arguments))
    return [*deltas, *({"tool_calls": [entry]} for entry in (begin, *written))]


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _tool_call(said: Answer) -> JSON:
    if said.call is None:
        raise ValueError("there is no call to write")
    function = {"name": said.call.name, "arguments": json.dumps(said.call.arguments)}
    return {"id": said.call_id, "type": "function", "function": function}


def _finish(said: Answer) -> str:
    return "stop" if said.call is None else "tool_calls"


def _frame(kind: str) -> dict[str, JSON]:
    return {"id": "chatcmpl-demo", "object": kind, "created": 0, "model": OFFLINE_MODEL}


def _usage(asked: Mapping[str, JSON], said: Answer) -> JSON:
    prompt = len(json.dumps([asked["messages"], asked.get("tools")])) // _LETTERS_A_TOKEN
    written = said.text if said.call is None else _tool_call(said)["function"]["arguments"]
    completion = len(written) // _LETTERS_A_TOKEN + 1
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _refuse(status: int, message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return web.json_response({"error": error}, status=status)
