"""Who may vote: in the room of the card now, with the rights for it now."""

from collections.abc import Collection, Sequence

from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.toolkit.approvals import Rule
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.toolkit.rule_mistakes import needs_of
from lycatra_appservice.words.text import Said


class Electorate:
    """Reads rooms and rights as they are at this moment; remembers neither."""

    def __init__(self, rights: Rights, rooms: RoomStore) -> None:
        self._rights = rights
        self._rooms = rooms

    async def may(self, rule: Rule, voter: UserID, requester: UserID, room_id: RoomID) -> bool:
        """Whether somebody's vote for something counts."""
        if voter not in await self._rooms.joined(room_id):
            return False
        return await self._has_right(rule, voter, requester, room_id)

    async def eligible(
        self, rule: Rule, requester: UserID, room_id: RoomID, at_most: int
    ) -> Sequence[UserID]:
        """Some who are there and could approve, others than who asks first.

        Who was invited into a direct room counts, too: the card may be why they come.
        """
        found: list[UserID] = []
        people = {*await self._rooms.joined(room_id), *await self._invited(room_id)}
        for person in sorted(people, key=lambda each: (each == requester, each)):
            if await self._has_right(rule, person, requester, room_id):
                found.append(person)
            if len(found) == at_most:
                break
        return found

    def who_could(self, rule: Rule, room_id: RoomID) -> Said:
        """Who could approve, wherever they are, for somebody in this room."""
        return self._rights.access.who_could(needs_of(rule), room_id)

    async def _invited(self, room_id: RoomID) -> Collection[UserID]:
        room = await self._rooms.view(room_id)
        return room.invited if room.is_direct else ()

    async def _has_right(
        self, rule: Rule, person: UserID, requester: UserID, room_id: RoomID
    ) -> bool:
        if rule.not_requester and person == requester:
            return False
        return await self._rights.meets(needs_of(rule), person, room_id)
