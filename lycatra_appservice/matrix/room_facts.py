"""What a room's state events say, as the columns of its tables. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.matrix.events import is_id, mapping, text
from lycatra_appservice.matrix.power import creators_of
from lycatra_appservice.model import JSON

PRESENT: Final = frozenset({"join", "invite"})  # memberships of who is counted as there

_LET_IN: Final = frozenset({"invite", "private", "knock"})  # by somebody who is in the room
_MAX_NAME: Final = 200
_OUT: Final = frozenset({"leave", "ban"})


@dataclass(frozen=True, slots=True)
class Change:
    """A statement of rooms.sql with its values, besides the room."""

    statement: str
    values: Mapping[str, object]


def facts_in(state: Sequence[Mapping[str, JSON]]) -> Mapping[str, object]:
    """The columns of a room, by its whole state."""
    events = {event.get("type"): event for event in state if event.get("state_key") == ""}
    contents = {kind: mapping(event.get("content")) for kind, event in events.items()}
    create = contents.get("m.room.create", {})
    creators, above_all = creators_of(events.get("m.room.create", {}))
    return {
        "name": _clean(contents.get("m.room.name", {}).get("name")),
        "encrypted": int("m.room.encryption" in events),
        "encryption": _kept(contents.get("m.room.encryption")),
        "is_space": int(is_space(create)),
        "is_public": int(_is_public(contents.get("m.room.join_rules", {}))),
        "power": json.dumps(contents.get("m.room.power_levels")),
        "creators": json.dumps({"users": sorted(creators), "above_all": above_all}),
        "predecessor": predecessor_of(create),
        "successor": successor_of(contents.get("m.room.tombstone", {})),
    }


def members_in(state: Sequence[Mapping[str, JSON]]) -> Sequence[Mapping[str, object]]:
    """The rows of a room's members, besides the room."""
    events = (event for event in state if event.get("type") == "m.room.member")
    return [row for event in events if (row := _member(event)) is not None]


def change_by(event: Mapping[str, JSON]) -> Change | None:
    """What a new state event changes; None for one that is malformed, or changes nothing here.

    Never raises, whatever somebody sent: it is asked while a push is being stored.
    """
    if event.get("type") == "m.room.member":
        row = _member(event)
        return None if row is None else Change("put_member", row)
    if event.get("state_key") != "":
        return None
    try:
        return _room_change(text(event.get("type")), mapping(event.get("content")))
    except RecursionError:
        return None  # as deep as can just be read


def _room_change(kind: str, content: Mapping[str, JSON]) -> Change | None:
    match kind:
        case "m.room.encryption":
            return Change("set_encrypted", {"encryption": _kept(content)})
        case "m.room.name":
            return Change("set_name", {"name": _clean(content.get("name"))})
        case "m.room.power_levels":
            return Change("set_power", {"power": json.dumps(content)})
        case "m.room.join_rules":
            return Change("set_public", {"is_public": int(_is_public(content))})
        case "m.room.tombstone":
            return Change("set_successor", {"successor": successor_of(content)})
        case _:
            return None  # m.room.create never changes


def is_space(create: Mapping[str, JSON]) -> bool:
    """Whether the content of an `m.room.create` makes a space."""
    return create.get("type") == "m.space"


def predecessor_of(create: Mapping[str, JSON]) -> str | None:
    """The room that this one continues, by the content of its `m.room.create`."""
    return _room_id(mapping(create.get("predecessor")).get("room_id"))


def successor_of(tombstone: Mapping[str, JSON]) -> str | None:
    """The room that continues this one, by the content of its `m.room.tombstone`."""
    return _room_id(tombstone.get("replacement_room"))


def _member(event: Mapping[str, JSON]) -> Mapping[str, object] | None:
    content, user = mapping(event.get("content")), event.get("state_key")
    membership = content.get("membership")
    if not is_id(user) or not is_id(membership):
        return None
    return {
        "user_id": user,
        "membership": membership,
        "display_name": _clean(content.get("displayname")),
        "sent_away": int(membership in _OUT and event.get("sender") != user),
    }


def is_open(join_rules: Mapping[str, JSON]) -> bool:
    """Whether somebody may come in whom nobody lets in: also by being in another room.

    By the content of an `m.room.join_rules`; a rule that is not known is taken for such a one.
    """
    return join_rules.get("join_rule", "invite") not in _LET_IN


def _is_public(join_rules: Mapping[str, JSON]) -> bool:
    return join_rules.get("join_rule") == "public"


def _kept(content: Mapping[str, JSON] | None) -> str | None:
    """What a room's `m.room.encryption` says that matters."""
    if content is None:
        return None
    kept = ("algorithm", "rotation_period_ms", "rotation_period_msgs")
    values = {name: content[name] for name in kept if isinstance(content.get(name), str | int)}
    return json.dumps(values)


def _room_id(value: JSON) -> str | None:
    return value if is_id(value) and value.startswith("!") else None


def _clean(value: JSON) -> str | None:
    """A name as the database takes it: Postgres refuses NUL and lone surrogates in text."""
    cleaned = text(value).replace("\0", "").encode(errors="replace").decode()
    return cleaned[:_MAX_NAME] or None
