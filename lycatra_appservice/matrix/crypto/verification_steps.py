"""The steps of a key verification: read as they come, and what they offer. Pure.

Client-server API v1.13, "Key verification framework". Between devices a verification is known by
its `transaction_id`; in a room by the event that asked for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import time
from typing import Final, TypeGuard

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.events import is_id, mapping, text
from lycatra_appservice.model import JSON, RoomID, UserID

_PREFIX: Final = "m.key.verification."
REQUEST: Final = _PREFIX + "request"
READY: Final = _PREFIX + "ready"
START: Final = _PREFIX + "start"
ACCEPT: Final = _PREFIX + "accept"
KEY: Final = _PREFIX + "key"
MAC: Final = _PREFIX + "mac"
DONE: Final = _PREFIX + "done"
CANCEL: Final = _PREFIX + "cancel"
_AFTER_REQUEST: Final = frozenset({READY, START, ACCEPT, KEY, MAC, DONE, CANCEL})

METHOD: Final = "m.sas.v1"
AGREEMENT: Final = "curve25519-hkdf-sha256"
HASH: Final = "sha256"
FIXED_MAC: Final = "hkdf-hmac-sha256.v2"
OLD_MAC: Final = "hkdf-hmac-sha256"  # in the faulty base64 of libolm
EMOJI_METHOD: Final = "emoji"

UNKNOWN_METHOD: Final = "m.unknown_method"
UNKNOWN_TRANSACTION: Final = "m.unknown_transaction"
UNEXPECTED: Final = "m.unexpected_message"
INVALID: Final = "m.invalid_message"
MISMATCH: Final = "m.key_mismatch"
REASONS: Final = {
    UNKNOWN_METHOD: "I can only compare emoji",
    UNKNOWN_TRANSACTION: "I know nothing of this verification (any more)",
    UNEXPECTED: "It is not the turn of this step",
    INVALID: "I cannot read this step",
    MISMATCH: "The keys are not the ones that I know",
}

MAX_AGE: Final = timedelta(minutes=10)  # both by the specification
MAX_AHEAD: Final = timedelta(minutes=5)
_LONGEST_MS: Final = 10**14  # no time of ours; what is beyond it cannot be calculated with


class StepRefusedError(LycatraError):
    """A step that ends its verification; `code` is what its sender is told."""

    def __init__(self, code: str) -> None:
        super().__init__(REASONS[code])
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationMessage:
    """One step, as it came.

    `transaction_id` is the one of the content, or in a room the request's event id. A room's
    request has the type of one between devices. `age` is below zero when the sender's clock is
    ahead of ours.
    """

    sender: UserID
    type: str
    content: Mapping[str, JSON]
    transaction_id: str
    room_id: RoomID | None = None
    age: timedelta = timedelta(0)


def message_between_devices(
    sender: UserID, type: str, content: Mapping[str, JSON]
) -> VerificationMessage | None:
    """Read a step that came from a device; None for what is none, or cannot be answered.

    A request is as old as it says: it may have waited for us. One that does not say is new.
    """
    transaction_id = mapping(content).get("transaction_id")
    if text(type) not in _AFTER_REQUEST | {REQUEST} or not is_id(transaction_id):
        return None
    sent = content.get("timestamp") if type == REQUEST else None
    return VerificationMessage(
        sender=sender,
        type=type,
        content=content,
        transaction_id=transaction_id,
        age=timedelta(milliseconds=time() * 1000 - sent) if _is_whole(sent) else timedelta(0),
    )


def message_in_room(event: Mapping[str, JSON]) -> VerificationMessage | None:
    """Read a step that was said in a room; None for everything else. Never raises."""
    whole = mapping(event)
    content = mapping(whole.get("content"))
    found = _step_in_room(whole, content)
    sender, room_id = whole.get("sender"), whole.get("room_id")
    if found is None or not is_id(sender) or not is_id(room_id):
        return None
    type_, transaction_id = found
    age = mapping(whole.get("unsigned")).get("age")
    return VerificationMessage(
        sender=UserID(sender),
        type=type_,
        content=content,
        transaction_id=transaction_id,
        room_id=RoomID(room_id),
        age=timedelta(milliseconds=max(age, 0)) if _is_whole(age) else timedelta(0),
    )


def checked_device(content: Mapping[str, JSON]) -> str:
    """From which device a request or a start is. Raises StepRefusedError."""
    device_id = content.get("from_device")
    if not is_id(device_id):
        raise StepRefusedError(INVALID)
    return device_id


def check_request(content: Mapping[str, JSON]) -> None:
    """Whether it can be answered with emoji. Raises StepRefusedError."""
    if METHOD not in _names(content, "methods"):
        raise StepRefusedError(UNKNOWN_METHOD)


def chosen_mac(start: Mapping[str, JSON]) -> str:
    """How both will calculate their MACs, if all else that is offered will do too.

    Raises StepRefusedError.
    """
    if start.get("method") != METHOD:
        is_other = isinstance(start.get("method"), str)
        raise StepRefusedError(UNKNOWN_METHOD if is_other else INVALID)
    macs = _names(start, "message_authentication_codes")
    will_do = (
        AGREEMENT in _names(start, "key_agreement_protocols")
        and HASH in _names(start, "hashes")
        and EMOJI_METHOD in _names(start, "short_authentication_string")
    )
    for mac in (FIXED_MAC, OLD_MAC):
        if will_do and mac in macs:
            return mac
    raise StepRefusedError(UNKNOWN_METHOD)


def addressed(
    content: Mapping[str, JSON], transaction_id: str, room_id: RoomID | None
) -> dict[str, JSON]:
    """The content of an answer, with what says which verification it belongs to."""
    if room_id is None:
        return {**content, "transaction_id": transaction_id}
    relation = {"rel_type": "m.reference", "event_id": transaction_id}
    return {**content, "m.relates_to": relation}


def begins(message: VerificationMessage, ours: UserID) -> bool:
    """Whether a step that belongs to nothing yet is meant for us, and not too late for it.

    In a room everything begins with a request, which says whom of that room it asks.
    """
    if message.type == START:
        return message.room_id is None
    is_asked = message.room_id is None or mapping(message.content).get("to") == ours
    return message.type == REQUEST and is_asked and -MAX_AHEAD < message.age < MAX_AGE


def _step_in_room(
    event: Mapping[str, JSON], content: Mapping[str, JSON]
) -> tuple[str, str] | None:
    """The type of a step and the id of the request, which has it of itself."""
    type_, event_id = text(event.get("type")), event.get("event_id")
    if type_ == "m.room.message" and content.get("msgtype") == REQUEST:
        return (REQUEST, event_id) if is_id(event_id) else None
    relation = mapping(content.get("m.relates_to"))
    request_id = relation.get("event_id")
    if type_ not in _AFTER_REQUEST or relation.get("rel_type") != "m.reference":
        return None
    return (type_, request_id) if is_id(request_id) else None


def _names(content: Mapping[str, JSON], key: str) -> list[JSON]:
    found = content.get(key)
    if not isinstance(found, list):
        raise StepRefusedError(INVALID)
    return found


def _is_whole(value: JSON) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LONGEST_MS
