"""A scripted model server on loopback: says what it is told to, and remembers what it heard."""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from aiohttp import web
from aiohttp.test_utils import TestServer

Reply: TypeAlias = Callable[["Asked"], Awaitable[web.StreamResponse]]
End: TypeAlias = Literal["close", "late", "cut", "hang"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came."""

    headers: Mapping[str, str]
    body: dict[str, Any]
    request: web.Request

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body["messages"])

    @property
    def said(self) -> list[str]:
        """The texts of all messages but the rules, without what the chat added to the question."""
        return [words_of(message) for message in self.messages[1:]]

    @property
    def context(self) -> str:
        """What the chat added to the question: time, place, person."""
        asked = [each for each in self.messages if each["role"] == "user"]
        return _text_of(asked[-1]).partition("\n\n<context>\n")[2]


def words_of(message: Mapping[str, Any]) -> str:
    """What a person said in a message, without the context of a question."""
    return _text_of(message).partition("\n\n<context>\n")[0]


def _text_of(message: Mapping[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    return content or ""


class ModelServer:
    """Answers each request with the next reply of its script; owned by `model_server`."""

    def __init__(self, port: int = 0, encrypted: ssl.SSLContext | None = None) -> None:
        """`port` is that of an earlier one which has stopped; 0 for any that is free."""
        self._encrypted = encrypted
        self.port = port  # where it listens, or listened
        self.asked: list[Asked] = []
        self.unscripted: list[Asked] = []
        self.looks = 0  # requests for its list of models
        self.models: list[str] | int = ["test-model"]  # a number is an HTTP status
        self.client_left = asyncio.Event()  # while a reply was hanging
        self.hanging = asyncio.Event()
        self.connections: set[Any] = set()  # every connection that a request came on
        self._script: deque[Reply] = deque()
        self._server = TestServer(
            self._app(), host="127.0.0.1", port=port, scheme="https" if encrypted else "http"
        )

    @property
    def base_url(self) -> str:
        return str(self._server.make_url("/v1"))

    @property
    def unused(self) -> int:
        """How many scripted replies nobody asked for."""
        return len(self._script)

    def will(self, *replies: Reply) -> None:
        self._script.extend(replies)

    def forget(self) -> None:
        """Begin anew, for another test."""
        self.asked.clear()
        self.unscripted.clear()
        self._script.clear()
        self.hanging.clear()
        self.client_left.clear()

    def check(self) -> None:
        """Fail unless exactly what was scripted has been asked."""
        assert not self.unscripted, f"asked without a script: {self.unscripted[0].body}"
        assert not self.unused, f"{self.unused} scripted replies were never asked for"

    async def start(self) -> None:
        # Cancelled handlers are how a server sees that its client has gone.
        await self._server.start_server(ssl=self._encrypted)
        self.port = self._server.port or 0

    async def stop(self) -> None:
        await self._server.close()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._list)
        return app

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(headers=request.headers, body=await request.json(), request=request)
        self.asked.append(asked)
        self.connections.add(request.transport)
        if not self._script:
            self.unscripted.append(asked)
            return web.json_response({"error": {"message": "not in the script"}}, status=418)
        try:
            return await self._script.popleft()(asked)
        except asyncio.CancelledError:
            self.client_left.set()
            raise

    async def _list(self, _: web.Request) -> web.Response:
        self.looks += 1
        if isinstance(self.models, int):
            return web.json_response({"error": {"message": "no"}}, status=self.models)
        return web.json_response({"data": [{"id": name} for name in self.models]})


@asynccontextmanager
async def model_server(
    port: int = 0, encrypted: ssl.SSLContext | None = None
) -> AsyncIterator[ModelServer]:
    """A running server; leaving fails unless exactly what was scripted has been asked."""
    server = ModelServer(port, encrypted)
    await server.start()
    try:
        yield server
        server.check()
    finally:
        await server.stop()


def event(data: object) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def delta(finish: str | None = None, **fields: Any) -> bytes:
    """One chunk of a streamed answer."""
    return event({"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]})


def usage(prompt: int, completion: int = 5) -> bytes:
    """The chunk without choices that tells the tokens."""
    counted = {"prompt_tokens": prompt, "completion_tokens": completion}
    return event({"choices": [], "usage": counted})


DONE = b"data: [DONE]\n\n"


def writes(*blocks: bytes | asyncio.Event, end: End = "close") -> Reply:
    """These bytes, block by block, waiting where an event stands, then an end.

    `close` ends the body, `late` does so when the client has read all else, `cut` loses the
    connection, `hang` says nothing more.
    """

    async def reply(asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(asked.request)
        for block in blocks:
            if isinstance(block, asyncio.Event):
                await block.wait()
                continue
            await response.write(block)
            await asyncio.sleep(0)
        if end == "late":
            for _ in range(50):  # turns of the loop that both ends share
                await asyncio.sleep(0)
        if end == "hang":
            await _for_ever()
        if end == "cut" and asked.request.transport is not None:
            asked.request.transport.abort()
        return response

    return reply


def says(*pieces: str, prompt_tokens: int | None = None) -> Reply:
    """A plain answer, streamed in these pieces if a stream was asked for."""
    counted = [] if prompt_tokens is None else [usage(prompt_tokens)]
    streamed = [*(delta(content=piece) for piece in pieces), delta("stop"), *counted, DONE]
    return _either(streamed, {"content": "".join(pieces)})


def calls(*wanted: tuple[str, str], text: str = "", prompt_tokens: int | None = None) -> Reply:
    """Tool calls (name, arguments) with ids call_0, call_1 …, their arguments in fragments."""
    blocks = [delta(content=text)] if text else []
    for index, (name, arguments) in enumerate(wanted):
        half = len(arguments) // 2
        first = {"name": name, "arguments": arguments[:half]}
        blocks.append(
            delta(tool_calls=[{"index": index, "id": f"call_{index}", "function": first}])
        )
        rest = {"arguments": arguments[half:]}
        blocks.append(delta(tool_calls=[{"index": index, "function": rest}]))
    whole = [
        {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": args}}
        for index, (name, args) in enumerate(wanted)
    ]
    message = {"content": text or None, "tool_calls": whole}
    counted = [] if prompt_tokens is None else [usage(prompt_tokens)]
    return _either([*blocks, delta("tool_calls"), *counted, DONE], message)


def refuses(
    status: int, error: object = None, *, headers: Mapping[str, str] | None = None
) -> Reply:
    """An error with a JSON body; `error` is its `error` field."""

    async def reply(_: Asked) -> web.StreamResponse:
        return web.json_response({"error": error}, status=status, headers=headers)

    return reply


def refuses_plainly(status: int, body: object) -> Reply:
    """An error whose body is not wrapped as OpenAI's are."""

    async def reply(_: Asked) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return reply


def shows_a_page(status: int = 200) -> Reply:
    """A web page, as a proxy or a wrong address gives it."""

    async def reply(_: Asked) -> web.StreamResponse:
        page = "<html><body>Bad gateway at proxy.internal</body></html>"
        return web.Response(text=page, content_type="text/html", status=status)

    return reply


def redirects(location: str) -> Reply:
    """A redirection to elsewhere."""

    async def reply(_: Asked) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": location})

    return reply


def is_silent(server: ModelServer) -> Reply:
    """Takes the request and never answers; `server.hanging` is set when it has begun to."""

    async def reply(_: Asked) -> web.StreamResponse:
        server.hanging.set()
        return await _for_ever()

    return reply


def _either(streamed: Sequence[bytes], message: Mapping[str, Any]) -> Reply:
    async def reply(asked: Asked) -> web.StreamResponse:
        if asked.body.get("stream"):
            return await writes(*streamed)(asked)
        choice = {"index": 0, "message": {"role": "assistant", **message}}
        return web.json_response({"choices": [{**choice, "finish_reason": "stop"}]})

    return reply


async def _for_ever() -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")
