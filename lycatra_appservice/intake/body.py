"""Reading the body of a transaction, whatever somebody managed to get into it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.intake.pieces import items_of, members_of
from lycatra_appservice.matrix.crypto.raw_inbox import NO_NEWS, KeyNews, key_news
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.users import KEY_DEVICE_PREFIX
from lycatra_appservice.model import JSON

# The stable name is not sent by Synapse 1.163 yet; both are read.
_TO_DEVICE: Final = ("to_device", "de.sorunome.msc2409.to_device")
_LISTS: Final = "org.matrix.msc3202.device_lists"
_COUNTS: Final = "org.matrix.msc3202.device_one_time_keys_count"
_UNUSED: Final = "org.matrix.msc3202.device_unused_fallback_key_types"
_DEEPEST_MESSAGE: Final = 100  # of a message between devices; real ones have a few levels


class NotJSONError(Exception):
    """The body is no JSON object with a list of events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionBody:
    """What was pushed. `unreadable` is what no parser can take, as it came."""

    events: Sequence[JSON]
    keys: KeyNews = NO_NEWS
    unreadable: Sequence[bytes] = ()


def read_body(raw: bytes) -> TransactionBody:
    """Parse a transaction; raises NotJSONError when nothing can be made of it."""
    try:
        body = json.loads(raw)
    except json.JSONDecodeError as error:
        raise NotJSONError("the body is not JSON") from error
    except (RecursionError, ValueError):
        # Too deep, a number of thousands of digits, or bytes that are no text: somewhere in it.
        return read_one_by_one(raw)
    if not isinstance(body, dict) or not isinstance(body.get("events"), list):
        raise NotJSONError("the body has no list of events")
    return TransactionBody(events=body["events"], keys=_keys(body))


def read_one_by_one(raw: bytes) -> TransactionBody:
    """Cut the body into its events first, so that one monstrous event costs only itself."""
    try:
        members = members_of(raw)
        events = items_of(members.get("events", b""))
    except ValueError as error:
        raise NotJSONError("the body has no list of events") from error
    unreadable: list[bytes] = []
    lists = {
        name: _read_each(items_of(members[name]), unreadable)
        for name in _TO_DEVICE
        if members.get(name, b"").lstrip().startswith(b"[")
    }
    return TransactionBody(
        events=_read_each(events, unreadable),
        keys=_keys(lists),
        unreadable=tuple(unreadable),
    )


def _read_each(pieces: Sequence[bytes], unreadable: list[bytes]) -> list[JSON]:
    read: list[JSON] = []
    for piece in pieces:
        try:
            read.append(json.loads(piece))
        except (RecursionError, ValueError):
            unreadable.append(piece)
    return read


def _keys(body: Mapping[str, JSON]) -> KeyNews:
    return key_news(
        _shallow(_to_device(body)),
        mapping(body.get(_LISTS)).get("changed"),
        _by_user(body.get(_COUNTS)),
        _by_user(body.get(_UNUSED)),
    )


def _by_user(told: JSON) -> Mapping[str, JSON]:
    """What is told of our devices that have keys; each of our users has one of these."""
    return {
        user: value
        for user, devices in mapping(told).items()
        for device_id, value in mapping(devices).items()
        if device_id.startswith(KEY_DEVICE_PREFIX)
    }


def _to_device(body: Mapping[str, JSON]) -> Sequence[JSON]:
    for key in _TO_DEVICE:
        if isinstance(body.get(key), list):
            return list(body[key])
    return ()


def _shallow(messages: Sequence[JSON]) -> Sequence[JSON]:
    """Those that can surely be written again; what can just be read sometimes cannot."""
    return [message for message in messages if _is_shallow(message)]


def _is_shallow(value: JSON) -> bool:
    level = [value]
    for _ in range(_DEEPEST_MESSAGE):
        level = [
            inner
            for outer in level
            if isinstance(outer, list | dict)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False
