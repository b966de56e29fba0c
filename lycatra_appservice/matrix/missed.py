"""What the answer to a /sync says that a user of ours has missed. Pure."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.matrix.crypto.raw_inbox import KeyNews, key_news
from lycatra_appservice.matrix.events import mapping, text
from lycatra_appservice.model import JSON, RoomID, UserID

_ROOMS_WITH_TIMELINE: Final = ("join", "leave")
_COUNTS: Final = "device_one_time_keys_count"
_UNUSED: Final = "device_unused_fallback_key_types"


@dataclass(frozen=True, slots=True)
class Gap:
    """Where a timeline begins that leaves out earlier events."""

    room_id: RoomID
    start: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Events and messages in the form of a push, the events of each room oldest first."""

    events: Sequence[JSON]
    keys: KeyNews
    gaps: Sequence[Gap]


def read_sync(answer: Mapping[str, JSON], user: UserID, device_id: str) -> Missed:
    """Read an incremental answer, that a device of this user got."""
    rooms, token = mapping(answer.get("rooms")), text(answer.get("next_batch"))
    events: list[JSON] = []
    gaps: list[Gap] = []
    for room_id, room in mapping(rooms.get("invite")).items():
        events.extend(_invitation(RoomID(room_id), mapping(room), user, token))
    for group in _ROOMS_WITH_TIMELINE:
        for room_id, room in mapping(rooms.get(group)).items():
            found, gap = _read_room(RoomID(room_id), mapping(room), user)
            events.extend(found)
            gaps.extend(gap)
    return Missed(events=events, keys=read_keys(answer, user, device_id), gaps=gaps)


def read_keys(answer: Mapping[str, JSON], user: UserID, device_id: str) -> KeyNews:
    """What an answer says of keys."""
    messages = [
        # A push says for whom a message is, a /sync is that device's own.
        {**mapping(message), "to_user_id": user, "to_device_id": device_id}
        for message in _events(answer.get("to_device"))
    ]
    counts, unused = (answer.get(name) for name in (_COUNTS, _UNUSED))
    return key_news(
        messages,
        mapping(answer.get("device_lists")).get("changed"),
        {} if counts is None else {user: counts},
        {} if unused is None else {user: unused},
    )


def as_pushed(event: JSON, room_id: RoomID) -> JSON:
    """A client's event as it would have been pushed: with its room."""
    return {**event, "room_id": room_id} if isinstance(event, dict) else event


def since_invitation(events: Sequence[JSON], user: UserID) -> Sequence[JSON]:
    """Leave out what was said before the user was asked to come in: it is not for us.

    Between invitation and entry nothing is pushed, yet it is said to us.
    """
    start, invited = 0, None
    for n, event in enumerate(events):
        match _own_membership(event, user):
            case "invite":
                invited = n
            case "join" if _is_entry(event, user):
                start = n if invited is None else invited
            case "leave" | "ban":
                invited = None
            case _:
                pass
    return events[start:]


def _read_room(
    room_id: RoomID, room: Mapping[str, JSON], user: UserID
) -> tuple[Sequence[JSON], Sequence[Gap]]:
    timeline = mapping(room.get("timeline"))
    events = [as_pushed(event, room_id) for event in _events(timeline)]
    if any(_is_entry(event, user) for event in events):
        # Its timeline is limited, too, and its whole state is new: it is read whole anyway.
        return since_invitation(events, user), ()
    state = [as_pushed(event, room_id) for event in _events(room.get("state"))]
    start = text(timeline.get("prev_batch"))
    gaps = [Gap(room_id, start)] if timeline.get("limited") and start else []
    return [*state, *events], gaps


def _events(part: JSON) -> Sequence[JSON]:
    events = mapping(part).get("events")
    return events if isinstance(events, list) else ()


def _is_entry(event: JSON, user: UserID) -> bool:
    """Whether the user comes in with this; a member's new display name is a `join`, too."""
    before = mapping(mapping(mapping(event).get("unsigned")).get("prev_content"))
    return _own_membership(event, user) == "join" and before.get("membership") != "join"


def _own_membership(event: JSON, user: UserID) -> JSON:
    event = mapping(event)
    if event.get("type") != "m.room.member" or event.get("state_key") != user:
        return None
    return mapping(event.get("content")).get("membership")


def _invitation(
    room_id: RoomID, room: Mapping[str, JSON], user: UserID, token: str
) -> Iterator[JSON]:
    """A stripped invitation has no event id, so it gets one; joining twice does no harm.

    The rest of the stripped state comes from the inviter's homeserver, which may have put
    anything into it, a second invitation too: our own one adds the real one at the end.
    """
    stripped = _events(room.get("invite_state"))
    invitations = [event for event in stripped if _own_membership(event, user) == "invite"]
    for event in invitations[-1:]:
        # The token makes another invitation to the same room another event.
        digest = hashlib.sha256(f"{user}\0{token}\0{room_id}".encode()).hexdigest()
        yield {
            **event,
            "room_id": room_id,
            "event_id": f"$lycatra-invite-{digest}",
            "unsigned": {"invite_room_state": stripped},
        }
