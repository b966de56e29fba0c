"""Reads the body of a POST within its bounds: size, time and depth."""

import asyncio
import json
from typing import Final

from aiohttp import web
from mcp_types.jsonrpc import INVALID_REQUEST, PARSE_ERROR

from lycatra_appservice.mcp.refusing import JSON_TYPE, RefusedError
from lycatra_appservice.model import JSON

MAX_BYTES: Final = 1024 * 1024
READ_SECONDS: Final = 20.0
MAX_DEPTH: Final = 64  # of lists and objects in each other; real calls have fewer than ten
_NO_OBJECT: Final = "the body must be a single JSON-RPC message, an object"


class Bodies:
    """Reads bodies; holds the bounds."""

    def __init__(self, max_bytes: int = MAX_BYTES, read_seconds: float = READ_SECONDS) -> None:
        self._max_bytes = max_bytes
        self._read_seconds = read_seconds

    async def read(self, request: web.Request) -> dict[str, JSON]:
        """The message of a POST. Raises RefusedError, with 400, 408 or 413."""
        if request.content_type != JSON_TYPE:
            raise RefusedError(400, f"Content-Type must be {JSON_TYPE}")
        data = await self._bytes(request)
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            raise RefusedError(400, "the body is no JSON", code=PARSE_ERROR) from None
        if not isinstance(message, dict):
            raise RefusedError(400, _NO_OBJECT, code=INVALID_REQUEST)
        # Whoever nests deep needs as many brackets: counting those costs next to nothing.
        if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _depth(message) > MAX_DEPTH:
            raise RefusedError(400, f"the body is nested deeper than {MAX_DEPTH} levels")
        return message

    async def _bytes(self, request: web.Request) -> bytes:
        if (request.content_length or 0) > self._max_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._read_seconds):
                return await self._whole(request)
        except TimeoutError:
            raise RefusedError(408, "the body took too long to come") from None
        except web.RequestPayloadError:
            raise RefusedError(400, "the body did not come whole", code=PARSE_ERROR) from None

    async def _whole(self, request: web.Request) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in request.content.iter_any():
            size += len(piece)
            if size > self._max_bytes:
                raise self._too_large()
            pieces.append(piece)
        return b"".join(pieces)

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"the body is larger than {self._max_bytes} bytes")


def _depth(value: JSON) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        below: list[JSON] = []
        for each in level:
            below += each.values() if isinstance(each, dict) else each
        level = [each for each in below if isinstance(each, dict | list)]
    return depth
