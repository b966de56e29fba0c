"""Who may do what in a room, by its own power levels. Pure; room versions 1 to 12."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lycatra_appservice.matrix.events import is_id, mapping
from lycatra_appservice.model import JSON, UserID

ADMIN_LEVEL: Final = 50  # the specification's default for changing a room's state

# Creators of rooms of version 12 stand above every number (specification, room version 12).
_WITHOUT_LIMIT: Final = 2**53
_OLD_VERSIONS: Final = frozenset(str(number) for number in range(1, 12))


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLevels:
    """A room's `m.room.power_levels`, with the creators that version 12 keeps elsewhere.

    Malformed numbers read as the specification's defaults: federated rooms may hold anything.
    """

    content: Mapping[str, JSON] | None = None  # None: the room has no such state
    creators: frozenset[UserID] = field(default_factory=frozenset)
    creators_above_all: bool = False  # room version 12

    def of(self, user_id: UserID) -> int:
        """A person's level."""
        if user_id in self.creators and (self.creators_above_all or self.content is None):
            return _WITHOUT_LIMIT if self.creators_above_all else 100
        given = mapping(self._get("users")).get(user_id)
        return _number(given, _number(self._get("users_default"), 0))

    def may_send(self, user_id: UserID, event_type: str = "m.room.message") -> bool:
        """Whether somebody may send events of this type."""
        needed = mapping(self._get("events")).get(event_type)
        return self.of(user_id) >= _number(needed, _number(self._get("events_default"), 0))

    def may_set(self, user_id: UserID, event_type: str) -> bool:
        """Whether somebody may set state of this type."""
        needed = mapping(self._get("events")).get(event_type)
        default = 0 if self.content is None else ADMIN_LEVEL
        return self.of(user_id) >= _number(needed, _number(self._get("state_default"), default))

    def may_invite(self, user_id: UserID) -> bool:
        """Whether somebody may invite."""
        return self.of(user_id) >= _number(self._get("invite"), 0)

    def may_redact(self, user_id: UserID) -> bool:
        """Whether somebody may redact what others wrote."""
        return self.of(user_id) >= _number(self._get("redact"), ADMIN_LEVEL)

    def _get(self, key: str) -> JSON:
        return (self.content or {}).get(key)


def creators_of(create: Mapping[str, JSON]) -> tuple[frozenset[UserID], bool]:
    """Who made a room, by its `m.room.create` event, and whether they stand above all levels."""
    content = mapping(create.get("content"))
    version = content.get("room_version", "1")
    above_all = isinstance(version, str) and version not in _OLD_VERSIONS
    more = content.get("additional_creators") if above_all else None
    named = [create.get("sender"), *(more if isinstance(more, list) else [])]
    return frozenset(UserID(each) for each in named if is_id(each)), above_all


def _number(value: JSON, default: int) -> int:
    if isinstance(value, bool):
        return default
    if isinstance(value, int):
        return value
    # Rooms before version 10 allowed numbers as text.
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 20:
        return int(value)
    return default
