"""A room as the rest of the program sees it: who is there, what it is like, what was chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from lycatra_appservice.matrix.power import PowerLevels
from lycatra_appservice.model import JSON, RoomID, UserID

_MANY_PEOPLE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomView:
    """What is known of a room that at least one of us is in."""

    room_id: RoomID
    name: str | None
    encrypted: bool
    people: Mapping[UserID, str | None]  # joined or invited, none of ours, with display names
    ours: frozenset[UserID]  # joined
    invited: frozenset[UserID] = frozenset()  # those of the people who have not come yet
    gone: frozenset[UserID] = frozenset()  # ours who were sent away: kicked, banned, uninvited
    is_deserted: bool = False  # there were people, and now there are none
    is_space: bool = False
    is_public: bool = False  # anybody may join
    power: PowerLevels = field(default_factory=PowerLevels)
    predecessor: RoomID | None = None  # by its m.room.create
    successor: RoomID | None = None  # by its m.room.tombstone
    # What was chosen with `!settings`, as stored: by name, without the defaults.
    chosen: Mapping[str, JSON] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_direct(self) -> bool:
        """Whether it is a conversation with one person, whatever clients call it."""
        return len(self.people) == 1

    @property
    def is_wide(self) -> bool:
        """Whether so many may read it that only who names us is answered."""
        return self.is_public or len(self.people) > _MANY_PEOPLE

    def may_bring(self, user: UserID) -> bool:
        """Whether one of us may bring others of us in.

        Never into a DM, which would be none any more, nor before a crowd.
        """
        return (
            user in self.ours
            and not self.is_direct
            and not self.is_wide
            and self.power.may_invite(user)
        )

    def host(self, main: UserID) -> UserID:
        """Who speaks here when nobody was named: `main`, or another of us who is there."""
        return main if main in self.ours or not self.ours else min(self.ours)
