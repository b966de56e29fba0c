"""Who may vote: in the room of the card now, with the rights for it now."""

from collections.abc import Sequence
from typing import Protocol

from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import Level, RoomID, UserID
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.approvals import Rule
from lycatra_appservice.words.text import Said, Text


class Levels(Protocol):
    """What people may do, asked anew each time."""

    async def level(self, person: UserID, room_id: RoomID) -> Level:
        """What somebody may do in a room at most; NONE in doubt."""

    def who_could(self, needed: Level) -> Said:
        """Who has a level, as a sentence."""


class GrantedLevels:
    """The levels that the configuration grants."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def level(self, person: UserID, room_id: RoomID) -> Level:
        """The same in every room."""
        return self._access.level(person)

    def who_could(self, needed: Level) -> Said:
        """Who has a level, as a sentence."""
        return self._access.who_could(needed)


class Electorate:
    """Reads rooms and rights as they are at this moment; remembers neither."""

    def __init__(self, levels: Levels, rooms: RoomStore) -> None:
        self._levels = levels
        self._rooms = rooms

    async def may(self, rule: Rule, voter: UserID, requester: UserID, room_id: RoomID) -> bool:
        """Whether somebody's vote for something counts."""
        if voter not in await self._rooms.joined(room_id):
            return False
        return rule.lets(voter, await self._levels.level(voter, room_id), requester)

    async def eligible(
        self, rule: Rule, requester: UserID, room_id: RoomID, at_most: int
    ) -> Sequence[UserID]:
        """Some who are there and could approve, others than who asks first."""
        found: list[UserID] = []
        people = await self._rooms.joined(room_id)
        for person in sorted(people, key=lambda each: (each == requester, each)):
            if rule.lets(person, await self._levels.level(person, room_id), requester):
                found.append(person)
            if len(found) == at_most:
                break
        return found

    def who_could(self, rule: Rule) -> Said:
        """Who could approve, wherever they are."""
        if rule.people:
            return Text("these_could", people=", ".join(rule.people))
        return self._levels.who_could(rule.level)
