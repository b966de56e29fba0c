"""Whether an event is surely, maybe or never ours, and which lane it belongs to. Pure.

*Maybe* is stored like *surely*: "our thread", "our card", "is this a DM" are database facts,
which the worker looks up. Only *never* is forgotten.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from lycatra_appservice.chat.addressing import Addressed, Addressing
from lycatra_appservice.chat.commands import CommandWords
from lycatra_appservice.intake.crowd_talk import CrowdTalk
from lycatra_appservice.matrix.events import is_id, is_ours_by_marker, mapping, read_inbound, text
from lycatra_appservice.matrix.heartbeat import HEARTBEAT_TYPE
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Inbound, LaneKind, RoomID
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
_READ_MSGTYPES: Final = frozenset({"m.text", "m.emote"})


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


Verdict: TypeAlias = Ours | Never | Malformed | Heartbeat


class Classifier:
    """Reads events one by one; knows our names, never the database."""

    def __init__(
        self, users: VirtualUsers, addressing: Addressing, commands: CommandWords
    ) -> None:
        self._users = users
        self._addressing = addressing
        self._commands = commands
        self._crowd_talk = CrowdTalk(users, commands)

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
        if self._users.is_ours(event["sender"]):
            return Never("own echo")
        match kind:
            case "m.room.message":
                return self._message(event, is_crowd)
            case "m.room.encrypted" | "m.reaction" | "m.room.redaction":
                # Known as ours or not only by what they point at.
                return _in_room(event, LaneKind.CONTROL, surely=False)
            case _:
                return Never("type")

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
        if inbound.msgtype not in _READ_MSGTYPES and not inbound.mentions:
            return Never("msgtype")
        addressed = self._addressing.of(inbound)
        words = self._commands.without_prefix(addressed.words)
        kind = LaneKind.ASK
        if self._is_own_command(addressed):
            kind = LaneKind.COMMAND
        elif words is not None and not self._commands.is_reset(words):
            kind = LaneKind.COMMAND  # a reset waits for the questions before it
        # Another `!word` may be some other bot's: only in a DM it is meant for us.
        calls_a_tool = words is not None and self._commands.calls_a_tool(words)
        surely = calls_a_tool or bool(addressed.users)
        if not surely and not _relates(inbound) and is_crowd(inbound.room_id):
            return Never("not addressed")
        thread = inbound.thread if kind is LaneKind.ASK else None
        return Ours(lane_of_room(inbound.room_id, kind, thread), kind, surely=surely)

    def _is_own_command(self, addressed: Addressed) -> bool:
        if not addressed.users:
            return False
        namespace = self._users.namespace_of(addressed.users[0])
        return namespace is not None and self._commands.is_command(addressed.words, namespace)


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
