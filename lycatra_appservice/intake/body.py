"""Reading the body of a transaction, whatever somebody managed to get into it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.model import JSON

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_OPENING: Final = frozenset(b"[{")
_EVENT_DEPTH: Final = 3  # the body's object, the list, the event's own object


class NotJSONError(Exception):
    """The body is no JSON object with a list of events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionBody:
    """What was pushed. `unreadable` are events too deep for any parser, as they came."""

    events: Sequence[JSON]
    to_device: Sequence[JSON] = ()
    unreadable: Sequence[bytes] = ()


def read_body(raw: bytes) -> TransactionBody:
    """Parse a transaction; raises NotJSONError when nothing can be made of it."""
    try:
        body = json.loads(raw)
    except RecursionError:
        return _read_one_by_one(raw)
    except ValueError as error:
        raise NotJSONError("the body is not JSON") from error
    if not isinstance(body, dict) or not isinstance(body.get("events"), list):
        raise NotJSONError("the body has no list of events")
    return TransactionBody(events=body["events"], to_device=_to_device(body))


def _to_device(body: dict[str, JSON]) -> Sequence[JSON]:
    # The stable name is not sent by Synapse 1.163 yet; both are read.
    for key in ("to_device", "de.sorunome.msc2409.to_device"):
        if isinstance(body.get(key), list):
            return list(body[key])
    return ()


def _read_one_by_one(raw: bytes) -> TransactionBody:
    """Cut the list of events by its brackets, so that one monstrous event costs only itself."""
    events: list[JSON] = []
    unreadable: list[bytes] = []
    for piece in _events_of(raw):
        try:
            events.append(json.loads(piece))
        except (RecursionError, ValueError):
            unreadable.append(piece)
    return TransactionBody(events=events, unreadable=unreadable)


def _events_of(raw: bytes) -> Sequence[bytes]:
    marker = re.search(rb'"events"\s*:\s*\[', raw)
    if marker is None:
        raise NotJSONError("the body has no list of events")
    pieces: list[bytes] = []
    depth, start = 2, 0
    for token in _TOKEN.finditer(raw, marker.end()):
        first = token.group()[0]
        if first == ord('"'):
            continue
        if first in _OPENING:
            depth += 1
            if depth == _EVENT_DEPTH:
                start = token.start()
            continue
        depth -= 1
        if depth == _EVENT_DEPTH - 1:
            pieces.append(raw[start : token.end()])
        elif depth < _EVENT_DEPTH - 1:
            break
    return pieces
