"""One request answered: as JSON when it is quick and silent, else as a stream of events."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

from aiohttp import web
from mcp.server.runner import modern_error_data
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS

from lycatra_appservice.mcp.outbox import Outbox
from lycatra_appservice.mcp.refusing import JSON_TYPE
from lycatra_appservice.mcp.wire import (
    PING,
    STREAM_HEADERS,
    encoded,
    error_message,
    event,
    result_message,
)
from lycatra_appservice.model import JSON

PING_SECONDS: Final = 15.0  # proxies give up silent connections after 30 to 60
_LOOK_SECONDS: Final = 0.5  # how soon it is noticed that a client has gone
_LET_GO_SECONDS: Final = 5.0  # for a handler to end that is not wanted any more

Work: TypeAlias = Coroutine[Any, Any, dict[str, Any]]


class Exchange:
    """Runs the work and writes its answer.

    aiohttp tells a handler nothing of a client that goes away, so that is looked for.
    """

    def __init__(
        self,
        request: web.Request,
        request_id: JSON,
        outbox: Outbox,
        *,
        with_status: bool,
        ping_seconds: float,
    ) -> None:
        """`with_status`: errors have a status of their own, as the revision of 2026 wants it."""
        self._request = request
        self._request_id = request_id
        self._outbox = outbox
        self._with_status = with_status
        self._ping_seconds = ping_seconds
        self._task: asyncio.Task[dict[str, Any]] | None = None
        self._cut: tuple[int, str] | None = None

    def cut(self, code: int, message: str) -> None:
        """End it; its client reads why."""
        self._cut = (code, message)
        if self._task is not None:
            self._task.cancel()

    async def run(
        self, work: Work, headers: Mapping[str, str] | None = None
    ) -> web.StreamResponse:
        """Answer the request; `headers` go with it. Ends the work when the client has gone."""
        task = self._task = asyncio.ensure_future(work)
        try:
            await asyncio.sleep(0)  # what is quick needs no stream, and no second look
            stream = None
            if not task.done() or self._outbox:
                stream = await self._streamed(task, headers)
            status, message = self._end(task)
            if stream is None:
                return web.Response(
                    status=status, body=encoded(message), content_type=JSON_TYPE, headers=headers
                )
            await stream.write(event(message))
            await stream.write_eof()
            return stream
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=_LET_GO_SECONDS)

    async def _streamed(
        self, task: asyncio.Task[dict[str, Any]], headers: Mapping[str, str] | None
    ) -> web.StreamResponse | None:
        """Write what there is until the work is done; None while nothing had to be written."""
        stream: web.StreamResponse | None = None
        clock = asyncio.get_running_loop().time
        last = clock()
        while not task.done() or self._outbox:
            pieces = [event(message) for message in self._outbox.drain()]
            if not pieces and clock() - last >= self._ping_seconds:
                pieces = [PING]
            if pieces:
                stream = stream or await self._begun(headers)
                await stream.write(b"".join(pieces))
                last = clock()
            if not task.done():
                waited: set[asyncio.Future[Any]] = {task, self._outbox.changed()}
                await asyncio.wait(
                    waited,
                    timeout=min(_LOOK_SECONDS, self._ping_seconds),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                self._look()
        return stream

    async def _begun(self, headers: Mapping[str, str] | None) -> web.StreamResponse:
        stream = web.StreamResponse(headers={**STREAM_HEADERS, **(headers or {})})
        await stream.prepare(self._request)
        return stream

    def _look(self) -> None:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")

    def _end(self, task: asyncio.Task[dict[str, Any]]) -> tuple[int, Mapping[str, JSON]]:
        if self._cut is not None:
            with suppress(asyncio.CancelledError, Exception):
                task.result()
            code, words = self._cut
            return web.HTTPOk.status_code, error_message(self._request_id, code, words)
        try:
            result = task.result()
        except Exception as exc:  # noqa: BLE001  every bug becomes the protocol's own error
            error = modern_error_data(exc)
            status = ERROR_CODE_HTTP_STATUS.get(error.code, 200) if self._with_status else 200
            message = error_message(self._request_id, error.code, error.message, error.data)
            return status, message
        return web.HTTPOk.status_code, result_message(self._request_id, result)
