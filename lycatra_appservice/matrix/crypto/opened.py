"""What an encrypted event says of itself, and what stands in it once it is open. Pure."""

import json
from collections.abc import Mapping
from typing import Final

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.events import is_id, mapping
from lycatra_appservice.model import JSON

_MEGOLM: Final = "m.megolm.v1.aes-sha2"


class RefusedError(LycatraError):
    """A message that must not be believed."""


def session_of(event: Mapping[str, JSON]) -> str | None:
    """What opens an event; None when it is not encrypted as rooms are."""
    content = mapping(event.get("content"))
    session_id = content.get("session_id")
    is_whole = isinstance(content.get("ciphertext"), str) and is_id(session_id)
    has_time = isinstance(event.get("origin_server_ts"), int)
    if content.get("algorithm") != _MEGOLM or not is_whole or not has_time:
        return None
    return str(session_id)


def opened(event: Mapping[str, JSON], plaintext: str) -> dict[str, JSON]:
    """The event with what stood in it; all besides its type and content is as it came.

    Raises RefusedError for what was written for another room, or is no event.
    """
    try:
        inner = json.loads(plaintext)
    except (ValueError, RecursionError) as error:
        raise RefusedError("there is no JSON in it") from error
    if not isinstance(inner, dict) or inner.get("room_id") != event["room_id"]:
        raise RefusedError("it was written for another room")
    content = mapping(inner.get("content"))
    relation = event["content"].get("m.relates_to")
    if relation is not None and "m.relates_to" not in content:
        content = {**content, "m.relates_to": relation}
    return {**event, "type": inner.get("type"), "content": content}
