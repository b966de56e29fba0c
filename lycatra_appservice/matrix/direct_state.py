"""What a direct room's state says about whether it can be used. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.power import PowerLevels, creators_of
from lycatra_appservice.matrix.room_facts import PRESENT, is_open
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, UserID


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectState:
    """A room that @lycatra is in; `people` are the memberships of all who are none of ours."""

    encrypted: bool
    upgraded: bool
    open: bool  # others may come in by themselves
    power: PowerLevels
    people: Mapping[UserID, str]

    @classmethod
    def read(cls, state: Sequence[Mapping[str, JSON]], users: VirtualUsers) -> Self:
        """Read the room's whole state."""
        events = {event.get("type"): event for event in state if event.get("state_key") == ""}
        creators, above_all = creators_of(events.get("m.room.create", {}))
        levels = mapping(events.get("m.room.power_levels", {}).get("content"))
        return cls(
            encrypted="m.room.encryption" in events,
            upgraded="m.room.tombstone" in events,
            open=is_open(mapping(events.get("m.room.join_rules", {}).get("content"))),
            power=PowerLevels(
                content=levels or None, creators=creators, creators_above_all=above_all
            ),
            people={
                UserID(event["state_key"]): str(mapping(event.get("content")).get("membership"))
                for event in state
                if event.get("type") == "m.room.member" and not users.is_ours(event["state_key"])
            },
        )

    def was_invited(self, person: UserID) -> bool:
        """Whether it was ever theirs."""
        return person in self.people

    def is_here(self, person: UserID) -> bool:
        """Whether they are in it, or were asked in."""
        return self.people.get(person) in PRESENT

    def is_usable(self, person: UserID, *, decrypts: bool) -> bool:
        """Whether it can be a direct room with this person: read by nobody else, and by us."""
        others = any(
            membership in PRESENT for user, membership in self.people.items() if user != person
        )
        banned = self.people.get(person) == "ban"
        closed = self.encrypted and not decrypts
        return not (closed or self.upgraded or self.open or others or banned)
