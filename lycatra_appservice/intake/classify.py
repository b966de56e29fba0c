"""Whether an event is surely, maybe or never ours, and which lane it belongs to. Pure.

*Maybe* is stored like *surely*: "our thread", "our card", "is this a DM" are database facts,
which the worker looks up. Only *never* is forgotten.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from lycatra_appservice.chat.ignored import Ignored
from lycatra_appservice.chat.reading import Reader
from lycatra_appservice.intake.crowd_talk import CrowdTalk
from lycatra_appservice.matrix.events import (
    MEDIA,
    WORDS,
    is_id,
    is_ours_by_marker,
    live_edit_of,
    mapping,
    read_inbound,
    text,
)
from lycatra_appservice.matrix.heartbeat import HEARTBEAT_TYPE
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, EventID, Inbound, LaneKind, RoomID
from lycatra_appservice.turns.records import lane_of_job, lane_of_room

# State that says who is in a room and what it is like; the worker keeps it in tables.
ROOM_STATE: Final = frozenset(
    {
        "m.room.create",
        "m.room.member",
        "m.room.encryption",
        "m.room.name",
        "m.room.join_rules",
        "m.room.power_levels",
        "m.room.tombstone",
    }
)
_SIGILS: Final = {"event_id": "$", "room_id": "!", "sender": "@", "type": ""}


@dataclass(frozen=True, slots=True)
class Ours:
    """It is, or may be, ours: to be stored in this lane."""

    lane: str
    kind: LaneKind
    surely: bool


@dataclass(frozen=True, slots=True)
class Never:
    """Nothing to do with us."""

    why: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """It cannot even be told what it is."""

    reason: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The leader's own event, back by push."""

    nonce: str


@dataclass(frozen=True, slots=True)
class LiveEcho:
    """Our own edit of a draft, back by push: somebody may have sent it too late."""

    draft: EventID


@dataclass(frozen=True, slots=True)
class Sealed:
    """It is encrypted: what it is shows when it is read."""


Verdict: TypeAlias = Ours | Never | Malformed | Heartbeat | LiveEcho | Sealed


class Classifier:
    """Reads events one by one; knows our names, never the database."""

    def __init__(
        self,
        users: VirtualUsers,
        reader: Reader,
        ignored: Ignored | None = None,
        *,
        decrypts: bool = False,
    ) -> None:
        """`ignored` are bots whose messages are nothing to us.

        `decrypts`: encrypted events can be read here, and come again as what they are.
        """
        self._users = users
        self._reader = reader
        self._ignored = ignored or Ignored()
        self._decrypts = decrypts
        self._crowd_talk = CrowdTalk(users, reader.commands, reader.talk.before_a_name)

    def classify(self, event: JSON, is_crowd: Callable[[RoomID], bool]) -> Verdict:
        """Tell what an event is to us.

        `is_crowd` says whether a room is known to hold so many people that a message which does
        not name us cannot be meant for us; when in doubt it must say no.
        """
        if self._crowd_talk.is_idle(event, is_crowd):
            return Never("not addressed")
        problem = _problem_of(event)
        if problem:
            return Malformed(problem)
        kind = event["type"]
        if kind == HEARTBEAT_TYPE:
            return self._heartbeat(event)
        if "state_key" in event:
            return self._state(event, kind)
        unheard = self._unheard(event, kind)
        return unheard or self._heard(event, kind, is_crowd)

    def _heard(
        self, event: Mapping[str, JSON], kind: str, is_crowd: Callable[[RoomID], bool]
    ) -> Verdict:
        """What people do that is no state."""
        match kind:
            case "m.room.message":
                return self._message(event, is_crowd)
            case "m.room.encrypted" if self._decrypts:
                return Sealed()
            case "m.room.encrypted" | "m.reaction" | "m.room.redaction":
                # Known as ours or not only by what they point at.
                return _in_room(event, LaneKind.CONTROL, surely=False)
            case _:
                return Never("type")

    def _unheard(self, event: Mapping[str, JSON], kind: str) -> Never | LiveEcho | None:
        """What is said by ourselves, or by whom we do not listen to."""
        if self._users.is_ours(event["sender"]):
            draft = live_edit_of(event)
            return Never("own echo") if draft is None else LiveEcho(draft)
        # What moderation bots take back is to be forgotten like everything else.
        if kind != "m.room.redaction" and self._ignored.covers(event["sender"]):
            return Never("ignored sender")
        return None

    def _heartbeat(self, event: Mapping[str, JSON]) -> Verdict:
        if event["sender"] != self._users.main:
            return Never("foreign heartbeat")
        return Heartbeat(text(mapping(event["content"]).get("nonce")))

    def _state(self, event: Mapping[str, JSON], kind: str) -> Verdict:
        if kind not in ROOM_STATE:
            return Never("state")
        membership = mapping(event["content"]).get("membership")
        if kind == "m.room.member" and self._users.is_ours(text(event["state_key"])):
            if membership == "invite":
                return Ours(lane_of_job(f"join|{event['room_id']}"), LaneKind.JOB, surely=True)
            return _in_room(event, LaneKind.CONTROL, surely=True)
        return _in_room(event, LaneKind.CONTROL, surely=False)

    def _message(self, event: Mapping[str, JSON], is_crowd: Callable[[RoomID], bool]) -> Verdict:
        inbound = read_inbound(event, timedelta(0))
        if inbound.msgtype == "m.notice" or is_ours_by_marker(event):
            return Never("a bot's")
        if inbound.replaces:
            return _in_room(event, LaneKind.CONTROL, surely=False)
        if inbound.msgtype not in WORDS | MEDIA:
            return Never("msgtype")
        reading = self._reader.read(inbound)
        surely = self._reader.is_sure(reading)
        if not surely and not _relates(inbound) and is_crowd(inbound.room_id):
            return Never("not addressed")
        kind = self._reader.lane_kind(reading)
        thread = inbound.thread if kind is LaneKind.ASK else None
        return Ours(lane_of_room(inbound.room_id, kind, thread), kind, surely=surely)


def _relates(inbound: Inbound) -> bool:
    return inbound.reply_to is not None or inbound.thread is not None


def _in_room(event: Mapping[str, JSON], kind: LaneKind, *, surely: bool) -> Ours:
    return Ours(lane_of_room(RoomID(event["room_id"]), kind), kind, surely=surely)


def _problem_of(event: JSON) -> str | None:
    if not isinstance(event, dict):
        return "not a JSON object"
    for key, sigil in _SIGILS.items():
        value = event.get(key)
        # The sigil keeps an event from passing for a trigger of another kind, `cron:` or `hook:`.
        if not is_id(value) or not value.startswith(sigil):
            return f"no usable {key}"
    if not isinstance(event.get("content"), dict):
        return "no content object"
    if "state_key" in event and not isinstance(event["state_key"], str):
        return "state_key is not text"
    return None
