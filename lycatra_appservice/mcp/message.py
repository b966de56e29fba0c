"""What kind of JSON-RPC message a body is, and whether its envelope is right. Pure."""

from collections.abc import Mapping
from typing import Final

from mcp_types.jsonrpc import INVALID_REQUEST

from lycatra_appservice.mcp.refusing import RefusedError
from lycatra_appservice.model import JSON

_NEITHER: Final = "the body must be a single JSON-RPC request or notification object"


def is_notification(message: Mapping[str, JSON]) -> bool:
    """A request without an id. Raises RefusedError for one that is malformed."""
    if "id" in message:
        return False
    _check(message, None)
    return True


def is_answer(message: Mapping[str, JSON]) -> bool:
    """What a client says to a question of ours."""
    return "method" not in message and ("result" in message or "error" in message)


def checked_request(
    message: Mapping[str, JSON],
) -> tuple[str | int, str, dict[str, JSON] | None]:
    """Id, method and parameters of a request. Raises RefusedError."""
    request_id = message.get("id")
    if not isinstance(request_id, str | int) or isinstance(request_id, bool):
        raise RefusedError(400, _NEITHER, code=INVALID_REQUEST)
    _check(message, request_id)
    return request_id, message["method"], message.get("params")


def _check(message: Mapping[str, JSON], request_id: JSON) -> None:
    params = message.get("params")
    if (
        message.get("jsonrpc") != "2.0"
        or not isinstance(message.get("method"), str)
        or not (params is None or isinstance(params, dict))
    ):
        raise RefusedError(400, _NEITHER, code=INVALID_REQUEST, request_id=request_id)
