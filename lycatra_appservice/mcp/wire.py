"""JSON-RPC messages as they travel: alone in a body, or each as an event of a stream. Pure."""

import json
from collections.abc import Mapping
from typing import Final

from lycatra_appservice.model import JSON

STREAM_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold events back otherwise
}
PING: Final = b": ping\n\n"

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def encoded(message: Mapping[str, JSON]) -> bytes:
    """A message as UTF-8; lone surrogates, which no client could read, become question marks."""
    return _ENCODER.encode(message).encode(errors="replace")


def event(message: Mapping[str, JSON]) -> bytes:
    """A message as one server-sent event; JSON has no line break of its own."""
    return b"event: message\ndata: " + encoded(message) + b"\n\n"


def result_message(request_id: JSON, result: Mapping[str, JSON]) -> dict[str, JSON]:
    """What a request came to."""
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def error_message(request_id: JSON, code: int, message: str, data: JSON = None) -> dict[str, JSON]:
    """That a request failed; `request_id` is None where it could not be read."""
    error = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


def notification(method: str, params: Mapping[str, JSON] | None) -> dict[str, JSON]:
    """What is only told."""
    return {"jsonrpc": "2.0", "method": method} | ({} if params is None else {"params": params})
