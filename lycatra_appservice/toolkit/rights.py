"""What somebody may do here: the one way to ask, for everybody but who decides about calls."""

from typing import Protocol

from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.standing import NOWHERE, Standing
from lycatra_appservice.model import Caller, Level, RoomID, UserID
from lycatra_appservice.toolkit.access import Access, Decision, Grant
from lycatra_appservice.toolkit.permissions import Requirement
from lycatra_appservice.toolkit.registry import AnyTool


class StandingSource(Protocol):
    """Knows how somebody stands in a room now."""

    async def of(self, user_id: UserID, room_id: RoomID) -> Standing:
        """What is not known is unknown in it; it is no error."""


class Rights:
    """The configuration's lists and rules, with what they depend on read for each question.

    Where they depend on no room, nothing is read.
    """

    def __init__(self, access: Access, standings: StandingSource | None = None) -> None:
        """Without `standings` nobody knows anything about any room."""
        self.access = access
        self._standings = standings

    async def standing(self, user_id: UserID, room_id: RoomID | None) -> Standing:
        """How somebody stands in a room, as far as it matters."""
        if room_id is None:
            return NOWHERE
        if self._standings is None or not self.access.minds(room_id):
            return Standing.unknown(room_id)
        return await self._standings.of(user_id, room_id)

    async def meets(self, needs: Requirement, user_id: UserID, room_id: RoomID) -> bool:
        """Whether somebody is who is asked for, in this room now."""
        standing = await self.standing(user_id, room_id)
        if needs.who is not None and needs.who.minds(room_id) and self._standings is not None:
            standing = await self._standings.of(user_id, room_id)
        return self.access.meets(needs, user_id, standing)

    async def level(self, user_id: UserID, room_id: RoomID | None) -> Level:
        """What somebody may do at most in a room, or outside of any."""
        return self.access.level(user_id, await self.standing(user_id, room_id))

    async def grant(self, user_id: UserID, room_id: RoomID | None) -> Grant | None:
        """The entry that decides about somebody there."""
        return self.access.grant(user_id, await self.standing(user_id, room_id))

    async def may(self, caller: Caller, tool: AnyTool) -> Decision:
        """Decide about one call that nobody makes yet."""
        standing = await self.standing(caller.user_id, caller.room_id)
        return self.access.may(caller, tool, standing)

    async def hidden_from(self, caller: Caller) -> frozenset[str]:
        """The names of the tools that are unknown to a caller by one face."""
        secrets = self.access.secrets(caller.face)
        if not secrets:
            return frozenset()
        standing = await self.standing(caller.user_id, caller.room_id)
        return frozenset(
            tool.name for tool in secrets if self.access.may(caller, tool, standing).hidden
        )

    def seen_level(self, user_id: UserID, room: RoomView) -> Level:
        """The same by what is known of a room already: for naming people, never for a decision."""
        return self.access.level(user_id, Standing.seen_in(room, user_id))
